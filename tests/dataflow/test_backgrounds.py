from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from actors.contracts.audio import Span
from dataflow.backgrounds import AROUND_SECONDS, EDGE_SECONDS, heard_spans, place_backgrounds, with_surroundings
from dataflow.bed import CROSSFADE_SECONDS
from dataflow.records import Scene


@st.composite
def films(draw: st.DrawFn) -> tuple[list[Span], float]:
    """Scenes of a film, with gaps from none at all to long ones, and the film's length."""
    clock = draw(st.sampled_from([0.0, 0.2, 0.5, 3.0]))
    spans = []
    for _ in range(draw(st.integers(0, 6))):
        length = draw(st.floats(0.3, 120))
        spans.append(Span(clock, clock + length))
        clock += length + draw(st.one_of(st.just(0.0), st.floats(0, 1.5), st.floats(2, 60)))
    return spans, max([draw(st.floats(0.3, 400)), *(span.end for span in spans)])


@given(films())
def test_no_scene_is_heard_with_its_voices_and_every_crossfade_has_sound_to_fade_with(
    film: tuple[list[Span], float],
) -> None:
    scenes, seconds = film
    heard = heard_spans(scenes, seconds)
    for scene, span in zip(scenes, heard, strict=True):
        # All of the scene, and a good part of what is around it, is heard without its voices.
        assert span.start <= scene.start - CROSSFADE_SECONDS or span.start in {other.end for other in heard}
        assert span.end >= scene.end + CROSSFADE_SECONDS or span.end in {other.start for other in heard}
        sound = with_surroundings(scene, seconds)
        assert span.start >= sound.start + CROSSFADE_SECONDS / 2 or sound.start == 0
        assert span.end <= sound.end - CROSSFADE_SECONDS / 2 or sound.end == seconds
    assert all(before.end <= after.start for before, after in pairwise(heard))


@given(films())
def test_the_original_is_kept_wherever_no_scene_is(film: tuple[list[Span], float]) -> None:
    spans, seconds = film
    scenes = [Scene(i, span, "", "", (span,)) for i, span in enumerate(spans)]
    scenery = place_backgrounds(scenes, {scene.index: f"k{scene.index}" for scene in scenes}, seconds)
    assert [one.audio_key for one in scenery.backgrounds] == [f"k{scene.index}" for scene in scenes]
    total = sum(span.seconds for span in scenery.kept) + sum(
        one.heard.overlap(Span(0, seconds)) for one in scenery.backgrounds
    )
    assert abs(total - seconds) < 1e-6
    for kept in scenery.kept:
        assert not any(kept.overlap(span) for span in spans)
    assert all(before.end < after.start for before, after in pairwise(scenery.kept))


def test_a_scene_whose_voices_could_not_be_taken_away_is_neither_replaced_nor_kept() -> None:
    scenes = [Scene(i, Span(10.0 * i + 5, 10.0 * i + 8), "", "", ()) for i in range(2)]
    scenery = place_backgrounds(scenes, {1: "there"}, 30.0)
    (background,) = scenery.backgrounds
    assert background.span == Span(15 - AROUND_SECONDS, 18 + AROUND_SECONDS)
    edge = AROUND_SECONDS - EDGE_SECONDS
    assert scenery.kept == (Span(0, 5 - edge), Span(8 + edge, 15 - edge), Span(18 + edge, 30))
