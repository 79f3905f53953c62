from cluster.consent import CONSENT, WORDINGS
from cluster.keys import digest

STATED = {1: "62064af7cc679e53786cc5be873366f5", 2: "8aef1b1503034ae4a932b2deb65325b8"}
"""Digests of what people have stated; whoever changes the words adds a version, and a line here."""


def test_what_was_once_stated_can_be_read_as_it_was() -> None:
    assert {version: digest(words) for version, words in WORDINGS.items()} == STATED
    assert max(STATED) == CONSENT
