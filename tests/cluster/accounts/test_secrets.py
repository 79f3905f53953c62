from hypothesis import given
from hypothesis import strategies as st

from cluster.accounts.secrets import hash_of, new_key, new_token, read_key


def test_a_new_key_says_its_id_and_matches_its_own_hash_only() -> None:
    key, other = read_key(new_key()), read_key(new_key())

    assert key is not None
    assert other is not None
    assert key.matches(key.secret_hash)
    assert not key.matches(other.secret_hash)
    assert key.id != other.id


def test_a_key_has_256_random_bits_and_one_word() -> None:
    prefix, key_id, secret = new_key().split("_")

    assert (prefix, len(bytes.fromhex(key_id)), len(bytes.fromhex(secret)) - 4) == ("dub", 8, 32)
    assert new_token() != new_token()


@given(st.integers(min_value=0, max_value=92), st.sampled_from("0123456789abcdefg_ \n"))
def test_a_key_with_one_wrong_character_is_no_key(place: int, character: str) -> None:
    key = new_key()
    wrong = key[:place] + character + key[place + 1 :]

    assert wrong == key or read_key(wrong) is None


@given(st.text(max_size=120))
def test_any_other_text_is_no_key(text: str) -> None:
    assert read_key(text) is None


def test_a_key_does_not_end_in_a_line_break_of_its_own() -> None:
    assert read_key(f"{new_key()}\n") is None


@given(st.text(alphabet=st.characters(codec=None), max_size=50))
def test_whatever_a_stranger_sends_has_a_hash(token: str) -> None:
    assert len(hash_of(token)) == 64
