from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.speech import VoiceOffer
from actors.contracts.voices import Gender, VoiceTraits
from actors.speech.espeak import Espeak
from actors.voices.assignment import CastSpeaker, assign_voices


def speaker(name: str, gender: Gender, seconds: float = 10.0, evidence: float = 0.0) -> CastSpeaker:
    return CastSpeaker(name, seconds, VoiceTraits(gender, 0.8, 150.0, evidence, seconds))


def offer(name: str, gender: Gender) -> VoiceOffer:
    return VoiceOffer(name, gender)


GENDERS = st.sampled_from(Gender)
SPEAKERS = st.lists(
    st.builds(speaker, st.text("abcdefgh", min_size=1, max_size=3), GENDERS, st.floats(0, 100), st.floats(-5, 5)),
    max_size=12,
    unique_by=lambda one: one.id,
)
OFFERS = st.lists(
    st.builds(offer, st.text("vwxyz", min_size=1, max_size=3), GENDERS),
    min_size=1,
    max_size=10,
    unique_by=lambda one: one.id,
)


@given(speakers=SPEAKERS, offers=OFFERS)
def test_everybody_gets_a_voice_and_none_is_used_twice_while_others_are_free(
    speakers: list[CastSpeaker], offers: list[VoiceOffer]
) -> None:
    voices = assign_voices(speakers, offers)
    assert set(voices) == {one.id for one in speakers}
    assert len(set(voices.values())) == min(len(speakers), len(offers))


@given(speakers=SPEAKERS, offers=OFFERS)
def test_as_many_as_possible_get_a_voice_of_their_gender(speakers: list[CastSpeaker], offers: list[VoiceOffer]) -> None:
    voices = assign_voices(speakers, offers)
    gender_of = {one.id: one.gender for one in offers}
    for gender in Gender:
        wanting = [one for one in speakers if one.traits.gender is gender]
        given_to = {voices[one.id] for one in wanting if gender_of[voices[one.id]] is gender}
        assert len(given_to) == min(len(wanting), sum(one.gender is gender for one in offers))


@given(speakers=SPEAKERS, offers=OFFERS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_speakers_does_not_matter(
    speakers: list[CastSpeaker], offers: list[VoiceOffer], order: st.DrawFn
) -> None:
    assert assign_voices(order.sample(speakers, len(speakers)), offers) == assign_voices(speakers, offers)


@given(speakers=SPEAKERS, offers=OFFERS)
def test_the_longest_speaker_of_a_gender_gets_its_first_voice(
    speakers: list[CastSpeaker], offers: list[VoiceOffer]
) -> None:
    voices = assign_voices(speakers, offers)
    for gender in Gender:
        wanting = [one for one in speakers if one.traits.gender is gender]
        matching = [one.id for one in offers if one.gender is gender]
        if wanting and matching:
            longest = min(wanting, key=lambda one: (-one.seconds, -one.traits.confidence, one.id))
            assert voices[longest.id] == matching[0]


def test_a_voice_that_leans_to_a_gender_gets_it_where_no_neutral_one_is_offered() -> None:
    offers = [offer("f", Gender.FEMALE), offer("m", Gender.MALE)]
    assert assign_voices([speaker("a", Gender.UNKNOWN, evidence=0.8)], offers) == {"a": "m"}
    assert assign_voices([speaker("a", Gender.UNKNOWN, evidence=-0.8)], offers) == {"a": "f"}
    neutral = [*offers, offer("n", Gender.UNKNOWN)]
    assert assign_voices([speaker("a", Gender.UNKNOWN, evidence=0.8)], neutral) == {"a": "n"}


def test_known_genders_are_served_before_an_uncertain_one_however_long_it_speaks() -> None:
    offers = [offer("f", Gender.FEMALE), offer("m", Gender.MALE)]
    speakers = [speaker("talker", Gender.UNKNOWN, 100, 3.0), speaker("he", Gender.MALE, 1)]
    assert assign_voices(speakers, offers) == {"he": "m", "talker": "f"}


def test_repeated_voices_are_shared_evenly() -> None:
    offers = [offer("m1", Gender.MALE), offer("m2", Gender.MALE)]
    voices = assign_voices([speaker(f"s{n}", Gender.MALE, 10 - n) for n in range(6)], offers)
    assert Counter(voices.values()) == {"m1": 3, "m2": 3}


def test_without_any_voice_it_is_said_so() -> None:
    assert assign_voices([], []) == {}
    with pytest.raises(EngineError, match="no voice"):
        assign_voices([speaker("a", Gender.MALE)], [])


def test_the_embedded_synthesizer_has_enough_voices_for_a_panel() -> None:
    speakers = [speaker(f"m{n}", Gender.MALE) for n in range(6)] + [speaker(f"f{n}", Gender.FEMALE) for n in range(6)]
    offers = Espeak(EngineOptions()).voices("es")
    voices = assign_voices(speakers, offers)
    gender_of = {one.id: one.gender for one in offers}
    assert len(set(voices.values())) == 12
    assert all(gender_of[voices[one.id]] is one.traits.gender for one in speakers)


@given(speakers=SPEAKERS, offers=OFFERS, data=st.data())
def test_who_has_a_voice_keeps_it_and_others_get_it_only_when_there_is_no_other(
    speakers: list[CastSpeaker], offers: list[VoiceOffer], data: st.DataObject
) -> None:
    names = [one.id for one in offers]
    fixed = data.draw(st.dictionaries(st.sampled_from([one.id for one in speakers] or ["x"]), st.sampled_from(names)))
    voices = assign_voices(speakers, offers, fixed)
    assert {name: voices[name] for name in fixed} == fixed
    assert set(voices) == {one.id for one in speakers} | set(fixed)
    others = [voices[one.id] for one in speakers if one.id not in fixed]
    free = set(names) - set(fixed.values())
    assert len(set(others) & free) == min(len(others), len(free))


@given(speakers=SPEAKERS, offers=OFFERS, data=st.data())
def test_what_is_used_elsewhere_changes_no_ones_gender(
    speakers: list[CastSpeaker], offers: list[VoiceOffer], data: st.DataObject
) -> None:
    elsewhere = data.draw(st.lists(st.sampled_from([one.id for one in offers])))
    gender_of = {one.id: one.gender for one in offers}
    fitting = [
        sum(gender_of[voices[one.id]] is one.traits.gender for one in speakers)
        for voices in (assign_voices(speakers, offers), assign_voices(speakers, offers, elsewhere=elsewhere))
    ]
    assert fitting[0] == fitting[1]


def test_of_voices_that_fit_equally_the_one_least_used_elsewhere_is_taken() -> None:
    offers = [offer("a", Gender.MALE), offer("b", Gender.MALE), offer("c", Gender.FEMALE), offer("d", Gender.MALE)]
    man = speaker("man", Gender.MALE)
    assert assign_voices([man], offers) == {"man": "a"}
    assert assign_voices([man], offers, elsewhere=["a"]) == {"man": "b"}
    assert assign_voices([man], offers, elsewhere=["a", "b", "d", "a", "b"]) == {"man": "d"}
    assert assign_voices([man], offers, {"other": "b"}, ["a"]) == {"other": "b", "man": "d"}
    accented = VoiceOffer("e", Gender.MALE, accent="en-US")
    assert assign_voices([man], [offers[0], accented], elsewhere=["a"]) == {"man": "a"}
