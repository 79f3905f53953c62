import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.cli.app import EXIT_USAGE, main
from cluster.ledger.records import JobStatus
from tests.fixtures.live_doors import live_doors
from tests.fixtures.scripted_jobs import ScriptedJobs

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def jobs(tmp_path: Path, sqlite_url: str) -> Iterator[ScriptedJobs]:
    opened = ScriptedJobs(tmp_path, sqlite_url)
    yield opened
    opened.ledger.close()


@pytest.fixture
def dubflow(jobs: ScriptedJobs, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command against a service: exit code, stdout, stderr."""
    with live_doors(jobs.settings) as address:

        def run(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
            monkeypatch.setattr(sys, "argv", ["dubflow", *arguments, "--server", address])
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            with pytest.raises(SystemExit) as ended:
                main()
            said = capfd.readouterr()
            return int(ended.value.code or 0), said.out, said.err

        yield run


def with_texts(script: dict[str, Any], **texts: str | None) -> str:
    for line in script["utterances"]:
        line["target_text"] = texts.get(line["id"], line["target_text"])
    return json.dumps(script)


def test_a_script_is_printed_changed_and_taken_over(dubflow: Run, jobs: ScriptedJobs, tmp_path: Path) -> None:
    job_id = jobs.publish(jobs.claimed())
    code, printed, _ = dubflow("script", job_id)
    assert code == 0
    file = tmp_path / "script.json"
    file.write_text(with_texts(json.loads(printed), u0002="niño, una frase demasiado larga"), encoding="utf-8")

    code, said, remarks = dubflow("script", job_id, "--edit", str(file))
    assert (code, said) == (0, f"{job_id} es revision 1: 1 lines changed\n")
    assert remarks.startswith("u0002: 11 characters more")
    assert jobs.ledger.edits(job_id, "es").texts == {"u0002": "niño, una frase demasiado larga"}

    assert dubflow("redub", job_id)[:2] == (0, f"{job_id} uploaded\n")
    assert jobs.ledger.job(job_id).status is JobStatus.UPLOADED


def test_a_line_is_set_back_and_what_is_the_same_is_not_sent(dubflow: Run, jobs: ScriptedJobs) -> None:
    job_id = jobs.publish(jobs.claimed())
    jobs.ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    script = json.loads(dubflow("script", job_id, "--json")[1])
    back = with_texts(script, u0001=None, u0002=None)
    code, said, _ = dubflow("script", job_id, "--edit", "-", "--json", stdin=back)
    assert (code, json.loads(said)) == (
        0,
        {"job_id": job_id, "target_language": "es", "revision": 2, "changed": 1},
    )
    assert jobs.ledger.edits(job_id, "es").texts == {}
    fresh = dubflow("script", job_id)[1]
    assert json.loads(dubflow("script", job_id, "--edit", "-", "--json", stdin=fresh)[1])["changed"] == 0
    assert jobs.ledger.edits(job_id, "es").revision == 2


def test_one_of_several_languages_is_chosen(dubflow: Run, jobs: ScriptedJobs) -> None:
    lease = jobs.claimed("es", "fr")
    for language in ("es", "fr"):
        jobs.publish(lease, language)
    code, _, remarks = dubflow("script", lease.job_id)
    assert (code, remarks.split(":")[1].strip()) == (EXIT_USAGE, "invalid_request")
    script = json.loads(dubflow("script", lease.job_id, "--language", "fr")[1])
    changed = with_texts(script, u0001="salut")
    assert dubflow("script", lease.job_id, "-l", "fr", "--edit", "-", stdin=changed)[0] == 0
    assert dubflow("redub", lease.job_id, "-l", "es")[0] == EXIT_USAGE
    assert json.loads(dubflow("redub", lease.job_id, "-l", "fr", "--json")[1])["status"] == "uploaded"


@pytest.mark.parametrize(
    "text", ["no JSON", "[]", '{"revision": 0}', '{"revision": 0, "utterances": [{"id": "u0001"}]}']
)
def test_a_file_that_is_no_script_is_said_to_be_none(dubflow: Run, jobs: ScriptedJobs, text: str) -> None:
    job_id = jobs.publish(jobs.claimed())
    code, _, remarks = dubflow("script", job_id, "--edit", "-", stdin=text)
    assert (code, "is no script" in remarks) == (EXIT_USAGE, True)


def test_an_edit_of_a_script_that_has_changed_meanwhile_is_refused(dubflow: Run, jobs: ScriptedJobs) -> None:
    job_id = jobs.publish(jobs.claimed())
    stale = with_texts(json.loads(dubflow("script", job_id)[1]), u0001="buenas")
    jobs.ledger.edit(job_id, "es", 0, {"u0001": "hola"})
    code, _, remarks = dubflow("script", job_id, "--edit", "-", stdin=stale)
    assert (code, remarks.startswith("dubflow: conflict:")) == (EXIT_USAGE, True)


def test_the_words_of_a_job_that_does_not_exist(dubflow: Run) -> None:
    for arguments in (("script", "f" * 32), ("redub", "f" * 32)):
        code, _, remarks = dubflow(*arguments)
        assert (code, remarks.startswith("dubflow: not_found:")) == (EXIT_USAGE, True)
