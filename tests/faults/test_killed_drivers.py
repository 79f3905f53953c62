"""`kill -9` of the whole command at some moment, and the same command again."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Stage, StageStatus
from dataflow.records import JobOptions, to_plain
from tests.fixtures import tones
from tests.fixtures.flows import SteppedFlow
from tests.fixtures.run_fixture import home_for_runs
from tests.fixtures.runs import Finished, Runs, kill_all

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

IN_HAND_AT_ONCE = 8
"""Calls that engines may be serving at a moment, over all pools of a two-core plan."""


def contents(runs: Runs) -> dict[str, str]:
    """Every result by name; of scripts all but what measures time."""
    found = {}
    for path in sorted(runs.out.iterdir()):
        data = path.read_bytes()
        if path.suffix == ".json":
            document = json.loads(data)
            del document["report"]["stage_seconds"]
            data = json.dumps(document, sort_keys=True).encode()
        found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def finished_parts(runs: Runs) -> int:
    """How many parts the ledger knows to be done."""
    ledger = Ledger(f"sqlite:///{runs.home / 'ledger.sqlite'}")
    done = 0
    for job in ledger.jobs().jobs:
        for stage in (Stage.DIARIZATION, Stage.TRANSCRIPTION, Stage.TRANSLATION, Stage.SYNTHESIS):
            parts = ledger.parts(job.id, stage, "es" if stage.per_language else "")
            done += sum(part.status is StageStatus.COMPLETED for part in parts)
    ledger.close()
    return done


def test_whatever_was_finished_is_not_done_again_and_the_results_are_the_same(
    runs: Runs, stepped_flow: SteppedFlow
) -> None:
    sources = [tones.video(runs.folder / f"v{i}.mp4", seconds, seed=i) for i, seconds in enumerate((70, 40, 25))]
    options = to_plain(JobOptions(profile="lite"))
    for source in sources:
        stepped_flow.submit(source, "es", destination=runs.out.as_uri(), stem=source.stem, options=options)
    stepped_flow.run()
    expected, calls_needed = contents(runs), runs.calls()

    killed = Runs(runs.folder / "2", seconds={"transcription": 0.8, "translation": 0.5, "speech": 0.1})
    for calls_before_the_kill in (2, 7):
        run = killed.start("dub", *sources, "--to", "es", "--profile", "lite", "-o", killed.out, "--json")
        killed.calls_reach(calls_before_the_kill, run)
        assert run.poll() is None
        finished = finished_parts(killed)
        kill_all(run.pid)
        run.communicate()
        assert finished_parts(killed) >= finished

    last = killed.dub(*sources, "--to", "es", "--profile", "lite")
    assert last.code == 0
    assert {line["status"] for line in last.results.values()} == {"completed"}
    assert contents(killed) == expected
    assert killed.leftovers() == []
    # Only what was in hand when the process died, its answer not yet written down, may be asked for again.
    assert set(killed.calls()) == set(calls_needed)
    assert (killed.calls() - calls_needed).total() <= 2 * IN_HAND_AT_ONCE


@dataclass(frozen=True, slots=True)
class Continued:
    """A command that was interrupted and given again.

    Attributes:
        left: Files and processes after the interruption.
        calls: Of engines up to the interruption.
    """

    runs: Runs
    sources: list[Path]
    interrupted: Finished
    left: list[str]
    calls: Counter[tuple[str, str]]
    finished: Finished


@pytest.fixture(scope="module")
def continued() -> Iterator[Continued]:
    with home_for_runs() as runs:
        runs.seconds = {"transcription": 1.0, "translation": 0.5}
        sources = [tones.video(runs.folder / f"v{i}.mp4", 40 - 3 * i, seed=i) for i in range(2)]
        run = runs.start("dub", *sources, "--to", "es", "-o", runs.out, "--json")
        runs.calls_reach(2, run)
        run.send_signal(2)
        interrupted = runs.end(run)
        left, calls = runs.leftovers(), runs.calls()
        yield Continued(runs, sources, interrupted, left, calls, runs.dub(*sources, "--to", "es"))


def test_an_interrupted_run_says_so_leaves_nothing_and_is_continued(continued: Continued) -> None:
    interrupted, finished = continued.interrupted, continued.finished
    assert interrupted.code == 130
    assert "interrupted; run the same command again" in interrupted.said
    assert "Traceback" not in interrupted.said
    assert continued.left == []

    assert finished.code == 0
    assert {line["status"] for line in finished.results.values()} == {"completed"}
    assert max((continued.runs.calls() - continued.calls).values()) == 1
    # The first Ctrl-C lets parts in hand end: nothing that was begun is done twice.
    assert max(continued.runs.calls().values()) == 1


def test_a_finished_command_does_nothing_when_repeated_and_another_language_costs_no_analysis(
    continued: Continued,
) -> None:
    runs, sources = continued.runs, continued.sources
    before, calls = contents(runs), runs.calls()

    again = runs.dub(*sources, "--to", "es")
    assert again.code == 0
    assert {name: line["status"] for name, line in again.results.items()} == {
        (source.name, "es"): "completed" for source in sources
    }
    assert runs.calls() == calls
    assert contents(runs) == before

    more = runs.dub(*sources, "--to", "es,ca")
    assert {name: line["status"] for name, line in more.results.items()} == {
        (source.name, language): "completed" for source in sources for language in ("es", "ca")
    }
    added = runs.calls() - calls
    assert {capability for capability, _ in added} == {"translation", "speech"}
    assert all(name.startswith("ca ") for capability, name in added if capability == "speech")
