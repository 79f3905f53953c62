import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflow.bed import Background, Bed, Block, Stretch
from dataflow.mix import mix

RATE = 1000
FADE = 30


def sound(value: float, n: int) -> Block:
    return np.full((n, 2), value, np.float32)


def heard(bed: Bed, block: int = 100) -> np.ndarray:
    blocks = []
    while (taken := bed.take(block)) is not None:
        blocks.append(taken)
    return np.concatenate(blocks)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 4000), min_size=1, max_size=20), st.integers(50, 5000))
def test_the_bed_is_the_original_at_its_level_and_full_where_it_is_kept(sizes: list[int], block: int) -> None:
    original = np.ones((sum(sizes), 1), np.float32)
    blocks = np.split(original, np.cumsum(sizes)[:-1])
    kept = Stretch(8000, 12_000)
    bed = Bed(blocks, 0.1, [kept], rate=1000)
    total = sum(sizes) + 700
    track = np.concatenate(list(mix([], total, channels=1, block=block, bed=bed)))[:, 0]
    heard = track[: sum(sizes)]
    clock = np.arange(len(heard))
    np.testing.assert_allclose(heard[(clock >= kept.first) & (clock <= kept.last)], 1.0)
    np.testing.assert_allclose(heard[(clock < kept.first - 31) | (clock > kept.last + 31)], 0.1, rtol=1e-5)
    assert np.abs(np.diff(heard)).max(initial=0.0) < 0.04
    assert not track[sum(sizes) :].any()


@st.composite
def layouts(draw: st.DrawFn) -> tuple[int, list[Stretch], list[Stretch]]:
    """Length of a track, what is kept of it, and where backgrounds are heard: any, but each sorted and disjoint."""
    total = draw(st.integers(200, 3000))

    def some() -> list[Stretch]:
        edges = sorted(draw(st.sets(st.integers(0, total), max_size=8)))
        return [Stretch(first, last) for first, last in zip(edges[::2], edges[1::2], strict=False)]

    return total, some(), some()


def background(one: Stretch, value: float) -> Background:
    return Background(one.first - FADE, one, lambda: sound(value, one.last - one.first + 2 * FADE))


@settings(max_examples=60)
@given(layouts(), st.integers(10, 700), st.floats(0, 1))
def test_what_is_left_without_voices_follows_on_the_original_without_a_dip_or_a_bump(
    layout: tuple[int, list[Stretch], list[Stretch]], block: int, level: float
) -> None:
    total, kept, replaced = layout
    # Where nobody speaks a background is the original: then no crossfade may be heard, nor any block's edge.
    same = Bed([sound(1.0, total)], 1.0, kept, RATE, [background(one, 1.0) for one in replaced])
    np.testing.assert_allclose(heard(same, block), 1.0, rtol=1e-6)
    # Gains are shares of one: what is heard lies between the lowest and the highest of all.
    bed = Bed([sound(1.0, total)], level, kept, RATE, [background(one, 3.0) for one in replaced])
    track = heard(bed, block)
    assert track.min() >= level - 1e-6
    assert track.max() <= 3 + 1e-6


@settings(max_examples=60)
@given(layouts(), st.integers(10, 700))
def test_within_their_stretches_backgrounds_and_original_play_sample_for_sample(
    layout: tuple[int, list[Stretch], list[Stretch]], block: int
) -> None:
    total, kept, replaced = layout
    rng = np.random.default_rng(total)
    original, without = (rng.uniform(-1, 1, (total + 2 * FADE, 2)).astype(np.float32) for _ in range(2))

    def cut(one: Stretch) -> Background:
        first = max(0, one.first - FADE)
        return Background(first, one, lambda: without[first : one.last + FADE])

    track = heard(Bed([original[:total]], 0.1, kept, RATE, [cut(one) for one in replaced]), block)
    clock = np.arange(total)
    in_kept, near_kept = np.zeros(total, bool), np.zeros(total, bool)
    for one in kept:
        in_kept |= (clock >= one.first) & (clock < one.last)
        near_kept |= (clock >= one.first - FADE) & (clock <= one.last + FADE)
    np.testing.assert_array_equal(track[in_kept], original[:total][in_kept])
    for one in replaced:
        inside = (clock >= one.first + FADE / 2) & (clock < one.last - FADE / 2) & ~near_kept
        np.testing.assert_array_equal(track[inside], without[:total][inside])


def test_one_background_follows_another_without_the_original_between() -> None:
    seam = [Background(0, Stretch(-50, 500), lambda: sound(2.0, 600)), Background(450, Stretch(500, 1050), later)]
    track = heard(Bed([sound(100.0, 1000)], 0.1, [], RATE, seam))[:, 0]
    assert track.max() <= 4
    assert (track[0], track[484], track[500], track[516], track[999]) == pytest.approx((2, 2, 3, 4, 4))


def later() -> Block:
    return sound(4.0, 600)


def test_only_the_backgrounds_of_the_moment_are_in_memory() -> None:
    playing: list[int] = []

    def lazily(i: int) -> Background:
        def load() -> Block:
            playing.append(i)
            return sound(1.0, 100)

        return Background(1000 * i, Stretch(1000 * i + 20, 1000 * i + 80), load)

    bed = Bed([sound(1.0, 3000)], 0.1, [], RATE, [lazily(i) for i in range(3)])
    bed.take(500)
    assert playing == [0]
    bed.take(1000)
    assert (playing, list(bed._playing)) == ([0, 1], [1])
    while bed.take(500) is not None:
        pass
    assert (playing, list(bed._playing)) == ([0, 1, 2], [])


def test_what_is_kept_whole_needs_no_background() -> None:
    def load() -> Block:
        raise AssertionError("nobody hears this")

    bed = Bed([sound(0.5, 300)], 0.1, [Stretch(0, 300)], RATE, [Background(0, Stretch(100, 200), load)])
    np.testing.assert_array_equal(heard(bed), sound(0.5, 300))
