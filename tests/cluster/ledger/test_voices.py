import pytest
from sqlalchemy import update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.clock import Now
from cluster.ledger.ledger import Ledger
from cluster.ledger.library_records import LibraryVoice
from cluster.ledger.removals import LATE_WRITES_SECONDS
from cluster.ledger.tables import voices
from tests.fixtures.library import SERIES, OnALine, episode, heard, meet, people


def person(ledger: Ledger, name: str = "one", place: float = 1.0, **changes: str) -> LibraryVoice:
    lease = episode(ledger, name, **changes)
    (met,) = ledger.meet(lease, SERIES, heard(place, script=name), OnALine()).people.values()
    ledger.clone(lease, met.id, "own-1")
    ledger.cast(lease, SERIES, "es", "kokoro", lambda _assigned: {met.id: "anna"})
    return ledger.voice(met.id)


def refused(code: ErrorCode, ledger: Ledger, voice_id: str, tenant: str) -> None:
    for call in (ledger.voice, ledger.change_voice, ledger.forget_voice):
        with pytest.raises(DubflowError, match=voice_id) as error:
            call(voice_id, tenant)
        assert error.value.code is code


def test_people_are_listed_newest_first_in_pages(ledger: Ledger) -> None:
    for number in range(5):
        meet(ledger, episode(ledger, f"{number}"), 10.0 * number, script=f"{number}")
    meet(ledger, episode(ledger, "else"), 1.0, series="Another", script="else")
    labels, cursor = [], None
    while True:
        page = ledger.voices(of_series=SERIES, limit=2, cursor=cursor)
        labels += [one.label for one in page.voices]
        cursor = page.cursor
        if cursor is None:
            break
    assert labels == ["V5", "V4", "V3", "V2", "V1"]
    assert [one.series for one in ledger.voices(of_series="Another").voices] == ["Another"]
    assert ledger.voices(of_series="None").voices == ()
    with pytest.raises(DubflowError, match="cursor"):
        ledger.voices(cursor="x")


def test_somebody_elses_voice_is_as_unknown_as_one_that_never_was(ledger: Ledger) -> None:
    ann = person(ledger, tenant="acme")
    refused(ErrorCode.NOT_FOUND, ledger, ann.id, "zeta")
    refused(ErrorCode.NOT_FOUND, ledger, "0" * 32, "acme")
    assert ledger.voice(ann.id, "acme") == ann
    assert ledger.voices(tenant="zeta").voices == ()


def test_people_say_who_somebody_is(ledger: Ledger) -> None:
    ann = person(ledger)
    changed = ledger.change_voice(ann.id, name="Ann", gender="female", by_language={"fr": "claire"})
    assert (changed.name, changed.gender) == ("Ann", "female")
    assert {(one.language, one.voice) for one in changed.voices} == {("es", "anna"), ("fr", "claire")}
    assert ledger.change_voice(ann.id, gender="") == ledger.voice(ann.id)
    assert (ledger.voice(ann.id).name, ledger.voice(ann.id).gender) == ("Ann", "")
    with pytest.raises(DubflowError, match="characters"):
        ledger.change_voice(ann.id, name="a\0b")


def test_nothing_is_left_of_who_is_forgotten(ledger: Ledger) -> None:
    ann = person(ledger)
    ledger.change_voice(ann.id, name="Ann", gender="female")
    assert ledger.forget_voice(ann.id).id == ann.id
    refused(ErrorCode.NOT_FOUND, ledger, ann.id, "default")
    assert people(ledger) == []
    row = ledger._database.read(lambda connection: connection.execute(voices.select()).mappings().one())
    assert (row["voiceprint"], row["traits"], row["seconds"]) == ("[]", "{}", 0.0)
    assert {row[name] for name in ("name", "gender", "reference")} == {None}


def test_what_is_forgotten_is_swept_until_nobody_writes_any_more(ledger: Ledger) -> None:
    ann = person(ledger)
    ledger.forget_voice(ann.id)
    assert [one.id for one in ledger.forgotten_voices()] == [ann.id]
    assert ledger.forgotten_voice(ann.id, "zeta") is None
    ledger.voice_cleared(ann.id)
    assert ledger.forgotten_voices() == ()
    cleared = ledger.forgotten_voice(ann.id, "default")
    assert cleared is not None
    assert cleared.cleared
    then = update(voices).values(forgotten_at=Now() - 2 * LATE_WRITES_SECONDS)
    ledger._database.write(lambda connection: connection.execute(then))
    assert [one.id for one in ledger.forgotten_voices()] == [ann.id]
    ledger.voice_cleared(ann.id)
    assert ledger.forgotten_voices() == ()
    assert ledger.forgotten_voice(ann.id) is None


def test_who_is_known_is_not_cleared_by_mistake(ledger: Ledger) -> None:
    ann = person(ledger)
    ledger.voice_cleared(ann.id)
    assert people(ledger) == [ann]
