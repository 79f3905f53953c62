import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cluster.consent import CONSENT, WORDINGS
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.database import Database
from cluster.ledger.ledger import Ledger
from cluster.ledger.library_records import AssignedVoice, Choose, Heard, Impression
from cluster.ledger.schema import migrate, upgrade
from tests.fixtures.databases import empty
from tests.fixtures.ledger_workers import PEOPLE, meet_everybody
from tests.fixtures.ledgers import request
from tests.fixtures.library import ENGINE, ENOUGH, NEAR, SERIES, OnALine, episode, heard, meet, people, voice
from tests.fixtures.processes import PROCESSES


@pytest.fixture
def opened(database_url: str) -> Iterator[Ledger]:
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


def giving(**wanted: str) -> Choose:
    return lambda _assigned: wanted


def test_a_person_is_known_again_whoever_speaks_first(ledger: Ledger) -> None:
    assert meet(ledger, episode(ledger, "one"), 1.0, 5.0, script="one") == {"S1": "V1", "S2": "V2"}
    assert meet(ledger, episode(ledger, "two"), 5.1, 0.9, script="two") == {"S1": "V2", "S2": "V1"}
    assert meet(ledger, episode(ledger, "three"), 9.0, 1.0, script="three") == {"S1": "V3", "S2": "V1"}


def test_tenants_series_and_engines_have_people_of_their_own(ledger: Ledger) -> None:
    ours, theirs = episode(ledger, "one"), episode(ledger, "one", tenant="acme")
    assert meet(ledger, ours, 1.0) == {"S1": "V1"}
    assert meet(ledger, theirs, 1.0) == {"S1": "V1"}
    assert meet(ledger, episode(ledger, "two"), 1.0, series="Another") == {"S1": "V1"}
    assert meet(ledger, episode(ledger, "three"), 1.0, engine="line 2") == {"S1": "V2"}
    assert len({one.id for one in people(ledger)}) == 4
    assert [one.tenant for one in ledger.voices(tenant="acme").voices] == ["acme"]


def test_a_job_gets_the_same_answer_whatever_was_learned_since(ledger: Ledger) -> None:
    first = episode(ledger, "one")
    before = ledger.meet(first, SERIES, heard(1.0, 5.0), OnALine())
    for number, place in enumerate((1.3, 1.5, 1.6, 1.7)):
        meet(ledger, episode(ledger, f"later {number}"), place, script=f"later {number}")
    again = ledger.meet(first, SERIES, heard(1.0, 5.0), OnALine())
    assert {speaker: person.id for speaker, person in again.people.items()} == {
        speaker: person.id for speaker, person in before.people.items()
    }
    assert again.people["S1"].impression.voiceprint > before.people["S1"].impression.voiceprint


def test_one_source_is_learned_from_once(ledger: Ledger) -> None:
    meet(ledger, episode(ledger, "one"), 1.0)
    meet(ledger, episode(ledger, "one", target_languages=("fr",)), 1.0)
    (known,) = people(ledger)
    assert known.impression == voice(1.0)


def test_a_script_that_was_made_anew_is_looked_at_anew_without_counting_twice(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    meet(ledger, lease, 1.0, 5.0, script="old")
    assert meet(ledger, lease, 5.0, 1.0, 9.0, script="new") == {"S1": "V2", "S2": "V1", "S3": "V3"}
    assert [one.impression.seconds for one in people(ledger)] == [10.0, 10.0, 10.0]


def test_whoever_says_little_is_recognised_but_nobody_is_learned_from_them(ledger: Ledger) -> None:
    meet(ledger, episode(ledger, "one"), 1.0)
    little = {"S1": voice(1.2, ENOUGH / 2), "S2": voice(7.0, ENOUGH / 2)}
    lease = episode(ledger, "two")

    def again() -> list[str]:
        met = ledger.meet(lease, SERIES, Heard("two", ENGINE, little), OnALine())
        return [f"{speaker} {person.label}" for speaker, person in met.people.items()]

    assert again() == ["S1 V1"]
    assert [one.impression for one in people(ledger)] == [voice(1.0)]
    meet(ledger, episode(ledger, "three"), 7.0, script="three")
    assert again() == ["S1 V1"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sources=st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), min_size=1, max_size=5),
    noise=st.randoms(use_true_random=False),
)
def test_every_person_is_one_row_and_every_speaker_somebody(
    opened: Ledger, sources: list[list[int]], noise: "st.random.Random"
) -> None:
    """People stand three apart, so that whoever is heard is never farther from themselves than from others."""
    empty(str(opened._url))
    names: dict[int, str] = {}
    times: Counter[int] = Counter()
    for number, source in enumerate(sources):
        places = [3 * person + noise.uniform(-NEAR / 3, NEAR / 3) for person in source]
        lease = episode(opened, f"source {number}")
        found = meet(opened, lease, *places, script=f"source {number}")
        assert meet(opened, lease, *places, script=f"source {number}") == found
        assert len(set(found.values())) == len(source)
        for speaker, person in enumerate(source, start=1):
            assert names.setdefault(person, found[f"S{speaker}"]) == found[f"S{speaker}"]
            times[person] += 1
    assert (
        sorted(one.label for one in people(opened))
        == sorted(names.values())
        == sorted(f"V{i}" for i in range(1, len(names) + 1))
    )
    known = {one.label: one.impression for one in people(opened)}
    assert {person: known[names[person]].traits["heard"] for person in names} == times


@pytest.mark.faults
def test_sources_of_one_moment_make_each_person_once(database_url: str, tmp_path: Path) -> None:
    processes = [
        PROCESSES.Process(target=meet_everybody, args=(database_url, f"owner-{number}", tmp_path / f"{number}"))
        for number in range(4)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    ledger = Ledger(database_url)
    known = people(ledger)
    ledger.close()
    seen = [json.loads(line) for number in range(4) for line in (tmp_path / f"{number}").read_text().splitlines()]
    assert sorted(one.label for one in known) == [f"V{i}" for i in range(1, PEOPLE + 1)]
    assert len({(place, label) for place, label, _ in seen}) == PEOPLE
    heard_by_label = Counter(label for _, label, _ in seen)
    assert {one.label: one.impression.traits["heard"] for one in known} == heard_by_label
    assert {(label, cast) for _, label, cast in seen} == {(one.label, one.voices[0].voice) for one in known}
    assert len({one.voices[0].voice for one in known}) == PEOPLE


def test_who_has_a_voice_keeps_it_and_others_are_told_of_it(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    ann, bob = ledger.meet(lease, SERIES, heard(1.0, 5.0), OnALine()).people.values()
    told: list[Mapping[str, tuple[AssignedVoice, ...]]] = []

    def choose(assigned: Mapping[str, tuple[AssignedVoice, ...]]) -> dict[str, str]:
        told.append(assigned)
        return {ann.id: "anna", bob.id: "bert"}

    assert ledger.cast(lease, SERIES, "es", "kokoro", giving(**{ann.id: "anna"})) == {ann.id: "anna"}
    assert ledger.cast(lease, SERIES, "es", "kokoro", choose) == {ann.id: "anna", bob.id: "bert"}
    assert told[0] == {ann.id: (AssignedVoice("es", "kokoro", "anna"),)}
    assert ledger.cast(lease, SERIES, "fr", "kokoro", giving()) == {}
    assert ledger.voice(bob.id).voices == (AssignedVoice("es", "kokoro", "bert"),)


def test_a_voice_that_a_person_chose_comes_first_and_is_never_overwritten(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    (ann,) = ledger.meet(lease, SERIES, heard(1.0), OnALine()).people.values()
    ledger.cast(lease, SERIES, "es", "kokoro", giving(**{ann.id: "anna"}))
    ledger.change_voice(ann.id, by_language={"es": "maria"})
    told: list[Mapping[str, tuple[AssignedVoice, ...]]] = []

    def choose(assigned: Mapping[str, tuple[AssignedVoice, ...]]) -> dict[str, str]:
        told.append(assigned)
        return {ann.id: "carla"}

    ledger.cast(lease, SERIES, "es", "kokoro", choose)
    assert [one.voice for one in told[0][ann.id]] == ["maria", "anna"]
    assert {(one.voice, one.by_hand) for one in ledger.voice(ann.id).voices} == {("maria", True), ("carla", False)}
    ledger.change_voice(ann.id, by_language={"es": None})
    assert [one.voice for one in ledger.voice(ann.id).voices] == ["carla"]


def test_the_first_sound_is_kept_and_every_statement_is_noted(ledger: Ledger) -> None:
    first, second = episode(ledger, "one", key_id="k1"), episode(ledger, "two", key_id="k2")
    (ann,) = ledger.meet(first, SERIES, heard(1.0, script="one"), OnALine()).people.values()
    meet(ledger, second, 1.0, script="two")
    assert ledger.clone(first, ann.id) == ""
    assert ledger.clone(first, ann.id, "own-1") == "own-1"
    assert ledger.clone(second, ann.id, "own-2") == "own-1"
    known = ledger.voice(ann.id)
    assert known.reference == "own-1"
    assert [(one.job_id, one.tenant, one.key_id, one.wording) for one in known.consents] == [
        (first.job_id, "default", "k1", CONSENT),
        (second.job_id, "default", "k2", CONSENT),
    ]
    assert [one.stated_at for one in known.consents] == [
        ledger.job(job).created_at for job in (first.job_id, second.job_id)
    ]
    assert CONSENT in WORDINGS


def test_without_a_statement_nobody_is_cloned_and_nothing_is_kept(ledger: Ledger) -> None:
    stated, silent = episode(ledger, "one"), episode(ledger, "two", consent=None)
    (ann,) = ledger.meet(stated, SERIES, heard(1.0, script="one"), OnALine()).people.values()
    meet(ledger, silent, 1.0, script="two")
    assert ledger.clone(silent, ann.id, "own-1") == ""
    assert (ledger.voice(ann.id).reference, ledger.voice(ann.id).consents) == ("", ())
    assert ledger.clone(stated, ann.id, "own-1") == "own-1"
    assert ledger.clone(silent, ann.id) == ""
    assert [one.job_id for one in ledger.voice(ann.id).consents] == [stated.job_id]


def test_a_deleted_job_leaves_the_people_that_it_has_met(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    (ann,) = ledger.meet(lease, SERIES, heard(1.0), OnALine()).people.values()
    ledger.clone(lease, ann.id, "own-1")
    ledger.cancel(lease.job_id)
    ledger.delete(lease.job_id)
    assert [one.job_id for one in ledger.voice(ann.id).consents] == [lease.job_id]
    assert meet(ledger, episode(ledger, "two"), 1.0, script="two") == {"S1": "V1"}


def test_who_is_forgotten_stays_so_for_the_jobs_that_knew_them_and_starts_anew_in_others(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    ann = ledger.meet(lease, SERIES, heard(1.0, 5.0), OnALine()).people["S1"]
    ledger.forget_voice(ann.id)
    for script in ("script", "script", "made anew"):
        met = ledger.meet(lease, SERIES, heard(1.0, 5.0, script=script), OnALine())
        assert [person.label for person in met.people.values()] == ["V2"]
        assert met.forgotten == {"S1"}
        assert ledger.clone(lease, ann.id, "own-1") == ""
    assert meet(ledger, episode(ledger, "two"), 1.0, script="two") == {"S1": "V3"}


def test_a_library_that_cannot_be_json_is_refused(ledger: Ledger) -> None:
    lease = episode(ledger, "one")
    strange = Heard("script", ENGINE, {"S1": Impression((float("nan"),), 10.0, {"heard": 1})})
    with pytest.raises(DubflowError) as refused:
        ledger.meet(lease, SERIES, strange, OnALine())
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert people(ledger) == []


def test_jobs_that_cloned_before_keep_their_first_statement(empty_database: str) -> None:
    migrate(empty_database, "0002")
    columns = (
        "id, identity, tenant, batch, priority, status, attempt, fence, progress, dead_letter, source_uri, "
        "source_version, target_languages, destination, stem, options, warnings, seq, created_at, updated_at, "
        "queued_at, not_before, worked_at"
    )

    def insert(name: str, options: str) -> str:
        return (
            f"INSERT INTO jobs ({columns}) VALUES ('{name}', '{name}', 'acme', '', 10, 'completed', 1, 1, 100.0, false,"
            f" 's3://a', 'v', '[\"es\"]', 's3://b', 'a', '{options}', '[]', 1, 1.0, 1.0, 1.0, 0.0, 0.0)"
        )

    database = Database(empty_database)
    statements = [
        "INSERT INTO tenants (id, turn) VALUES ('acme', 0)",
        insert("cloned", '{"start":0.0,"clone_voices":true}'),
        insert("plain", '{"start":0.0,"clone_voices":false}'),
    ]
    database.write(lambda connection: [connection.exec_driver_sql(one) for one in statements])
    database.close()
    upgrade(empty_database)
    ledger = Ledger(empty_database)
    assert (ledger.job("cloned").request.consent, ledger.job("plain").request.consent) == (1, None)
    assert ledger.job("cloned").request.key_id == ""
    lease = episode(ledger, "one")
    assert meet(ledger, lease, 1.0) == {"S1": "V1"}
    ledger.close()
    migrate(empty_database, "0002")
    database = Database(empty_database)
    count = database.read(lambda connection: connection.scalar(text("SELECT count(*) FROM jobs")))
    database.close()
    assert count == 3


def test_who_asks_and_what_they_state_is_kept_with_the_job(ledger: Ledger) -> None:
    asked = request(key_id="k1", consent=CONSENT)
    assert ledger.submit(asked).request == asked
