from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from actors.contracts.diarization import SceneSpeaker
from actors.diarization.linking import link


class Line:
    """Voices are points on a line."""

    threshold = 1.0

    def distances(self, voiceprints: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
        places = np.array([print_[0] if print_ else np.nan for print_ in voiceprints])
        distances = np.nan_to_num(np.abs(places[:, None] - places[None, :]), nan=np.inf)
        np.fill_diagonal(distances, 0.0)
        return distances


def speaker(place: float | None, seconds: float = 30.0, number: int = 0) -> SceneSpeaker:
    return SceneSpeaker(number, seconds, () if place is None else (place,))


def scene(*places: float | None, seconds: float = 30.0) -> list[SceneSpeaker]:
    return [speaker(place, seconds, number) for number, place in enumerate(places)]


SPEAKERS = st.builds(speaker, st.one_of(st.none(), st.floats(0, 20)), st.floats(0, 60))
SCENES = st.lists(st.lists(SPEAKERS, max_size=4), max_size=6)
LIMIT = st.one_of(st.none(), st.integers(1, 5))


@given(scenes=SCENES, fewest=LIMIT, most=LIMIT)
def test_every_speaker_gets_a_number_and_two_of_one_scene_never_the_same(
    scenes: list[list[SceneSpeaker]], fewest: int | None, most: int | None
) -> None:
    labels = link(scenes, Line(), fewest, most)
    assert [len(numbers) for numbers in labels] == [len(speakers) for speakers in scenes]
    assert all(len(set(numbers)) == len(numbers) for numbers in labels)
    flat = [number for numbers in labels for number in numbers]
    firsts = [flat.index(number) for number in range(len(set(flat)))]
    assert firsts == sorted(firsts)


@given(scenes=SCENES, order=st.randoms(use_true_random=False))
def test_who_is_who_depends_neither_on_the_order_of_scenes_nor_of_their_speakers(
    scenes: list[list[SceneSpeaker]], order: st.DrawFn
) -> None:
    # Distinct places, so that nothing hangs on ties; clear speakers, because the others are attached by time.
    places = iter(np.cumsum(np.random.default_rng(len(scenes)).uniform(0.1, 3.0, 100)).tolist())
    clear = [[speaker(next(places)) for _ in speakers] for speakers in scenes]
    shuffled = [order.sample(speakers, len(speakers)) for speakers in order.sample(clear, len(clear))]

    def people(arranged: list[list[SceneSpeaker]]) -> set[frozenset[float]]:
        joined: dict[int, set[float]] = {}
        for speakers, numbers in zip(arranged, link(arranged, Line()), strict=True):
            for one, number in zip(speakers, numbers, strict=True):
                joined.setdefault(number, set()).add(one.voiceprint[0])
        return {frozenset(person) for person in joined.values()}

    assert people(shuffled) == people(clear)


@given(scenes=SCENES, most=st.integers(1, 5))
def test_the_most_is_kept_unless_one_scene_has_more(scenes: list[list[SceneSpeaker]], most: int) -> None:
    clear = [[speaker(one.voiceprint[0]) for one in speakers if one.voiceprint] for speakers in scenes]
    crowded = max((len(speakers) for speakers in clear), default=0)
    people = {number for numbers in link(clear, Line(), max_speakers=most) for number in numbers}
    if all(len(speakers) <= 1 for speakers in clear):
        assert len(people) <= most
    assert len(people) >= crowded


def test_the_same_voice_is_one_person_in_all_scenes() -> None:
    assert link([scene(0.0, 5.0), scene(5.2), scene(5.1, 0.3)], Line()) == ((0, 1), (1,), (1, 0))


def test_similar_voices_of_one_scene_stay_apart_and_find_their_own() -> None:
    assert link([scene(0.0, 0.4), scene(0.5, 0.1)], Line()) == ((0, 1), (1, 0))


def test_a_known_number_of_people_moves_the_cut() -> None:
    scenes = [scene(0.0), scene(0.5), scene(3.0), scene(9.0)]
    assert link(scenes, Line()) == ((0,), (0,), (1,), (2,))
    assert link(scenes, Line(), min_speakers=4) == ((0,), (1,), (2,), (3,))
    assert link(scenes, Line(), max_speakers=2) == ((0,), (0,), (0,), (1,))
    assert link(scenes, Line(), max_speakers=1) == ((0,), (0,), (0,), (0,))


def test_a_short_or_voiceless_speaker_joins_the_person_nearest_in_time() -> None:
    scenes = [scene(0.0), scene(9.0), [speaker(None, 0.5)], scene(0.1), scene(0.0, 9.0)]
    assert link(scenes, Line()) == ((0,), (1,), (0,), (0,), (0, 1))


def test_of_several_people_in_the_nearest_scene_the_likelier_voice_is_taken() -> None:
    short = [speaker(8.0, 1.0)]
    assert link([short, scene(0.0, 9.0)], Line()) == ((0,), (1, 0))


def test_a_short_speaker_never_joins_somebody_of_its_own_scene() -> None:
    assert link([[speaker(0.0), speaker(0.1, 1.0)]], Line()) == ((0, 1),)


def test_hundreds_of_scenes_keep_their_speakers_apart() -> None:
    rng = np.random.default_rng(0)
    scenes = [scene(rng.normal(0, 0.3), rng.normal(0.9, 0.3)) for _ in range(300)]
    assert all(a != b for a, b in link(scenes, Line()))


@pytest.mark.parametrize("scenes", [[], [[]], [[], []]])
def test_nobody_gives_nobody(scenes: list[list[SceneSpeaker]]) -> None:
    assert link(scenes, Line()) == tuple(() for _ in scenes)


def test_without_enough_speech_anywhere_a_scene_still_has_its_speakers() -> None:
    labels = link([scene(0.0, 3.0, seconds=1.0), scene(3.1, seconds=1.0)], Line())
    assert labels == ((0, 1), (1,))
    assert all(a != b for a, b in combinations(labels[0], 2))
