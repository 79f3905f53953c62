from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from actors.diarization.cosine import CosineMetric
from actors.voices.recognition import mean_voiceprint, recognise


class Line:
    """Voices are points on a line."""

    threshold = 1.0
    across_recordings = True

    def distances(self, voiceprints: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
        places = np.array([print_[0] if print_ else np.nan for print_ in voiceprints])
        distances = np.nan_to_num(np.abs(places[:, None] - places[None, :]), nan=np.inf)
        np.fill_diagonal(distances, 0.0)
        return distances


def on_a_line(heard: Sequence[float], known: Sequence[float]) -> tuple[int | None, ...]:
    return recognise([(place,) for place in heard], [(place,) for place in known], Line())


PLACES = st.lists(st.floats(0, 5), max_size=6)


@given(heard=PLACES, known=PLACES)
def test_who_is_recognised_is_near_and_nobody_twice(heard: list[float], known: list[float]) -> None:
    found = on_a_line(heard, known)
    people = [one for one in found if one is not None]
    assert len(found) == len(heard)
    assert len(set(people)) == len(people)
    assert all(abs(place - known[one]) < 1 for place, one in zip(heard, found, strict=True) if one is not None)


@given(known=st.lists(st.integers(0, 20), unique=True, min_size=1), data=st.data())
def test_whoever_sounds_like_themselves_is_found_in_whatever_order_they_speak(
    known: list[int], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(known))))
    heard = [2.0 * known[i] + data.draw(st.floats(-0.4, 0.4)) for i in order]
    assert on_a_line(heard, [2.0 * place for place in known]) == tuple(order)


def test_two_speakers_of_one_source_are_never_one_person() -> None:
    assert on_a_line([0.2, 0.1], [0.0]) == (None, 0)


def test_nobody_is_made_somebody_else_so_that_one_more_is_recognised() -> None:
    # The second could only be the first person, who then would have to be the second one, barely.
    assert on_a_line([0.1, 0.5], [0.0, 1.0]) == (0, 1)
    assert on_a_line([0.1, -0.85], [0.0, 1.05]) == (0, None)


def test_who_was_not_heard_well_enough_is_nobody() -> None:
    assert recognise([(), (0.0,)], [(0.0,)], Line()) == (None, 0)
    assert recognise([], [(0.0,)], Line()) == ()
    assert recognise([(0.0,)], [], Line()) == (None,)


def test_embeddings_are_compared_by_their_direction() -> None:
    metric = CosineMetric(0.5)
    assert recognise([(0.0, 3.0), (9.0, 0.1)], [(1.0, 0.0), (0.0, 1.0)], metric) == (1, 0)


def test_the_mean_of_voiceprints_is_weighted_by_their_seconds() -> None:
    assert mean_voiceprint([((0.0, 1.0), 10.0), ((4.0, 1.0), 30.0), ((), 99.0), ((9.0, 9.0), 0.0)]) == pytest.approx(
        (3.0, 1.0)
    )
    assert mean_voiceprint([((), 3.0)]) == ()
