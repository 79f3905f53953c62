from hypothesis import given
from hypothesis import strategies as st

from actors.speech.kept import KeptVoices


@given(most=st.integers(1, 5), names=st.lists(st.integers(0, 9)))
def test_the_voices_that_were_learned_last_are_kept(most: int, names: list[int]) -> None:
    kept: KeptVoices[int, str] = KeptVoices(most)
    learned: list[int] = []
    for name in names:
        kept[name] = f"voice {name}"
        learned += [] if name in learned[-most:] else [name]
        assert list(kept) == learned[-most:]
        assert kept[name] == f"voice {name}"
