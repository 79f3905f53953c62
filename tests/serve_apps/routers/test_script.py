import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cluster.ledger.records import JobStatus, SupportedLanguage
from tests.fixtures.doors import doors
from tests.fixtures.scripted_jobs import ScriptedJobs, line

API = "/api/v1/jobs"


@pytest.fixture
def desk(tmp_path: Path, database_url: str) -> Iterator[ScriptedJobs]:
    opened = ScriptedJobs(tmp_path, database_url)
    yield opened
    opened.ledger.close()


@pytest.fixture
def client(desk: ScriptedJobs) -> Iterator[TestClient]:
    with doors(desk.settings) as opened:
        yield opened


def edit(client: TestClient, job_id: str, revision: int, texts: dict[str, str | None], query: str = "") -> Any:
    utterances = [{"id": name, "target_text": text} for name, text in texts.items()]
    return client.patch(f"{API}/{job_id}/script{query}", json={"revision": revision, "utterances": utterances})


def refused(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def test_a_published_script_is_the_document_with_what_an_editor_needs(client: TestClient, desk: ScriptedJobs) -> None:
    job_id = desk.publish(desk.claimed())
    answer = client.get(f"{API}/{job_id}/script")
    assert answer.status_code == 200
    script = answer.json()
    assert (script["format"], script["revision"], script["made_revision"], script["draft"]) == (
        "dubflow.script/1",
        0,
        0,
        False,
    )
    assert script["utterances"][0] == {
        **line("u0001"),
        "edited": False,
        "changed": False,
        "warnings": [],
    }


def test_edits_are_laid_over_the_result_until_it_has_them(client: TestClient, desk: ScriptedJobs) -> None:
    job_id = desk.publish(desk.claimed())
    answer = edit(client, job_id, 0, {"u0001": "  una frase demasiado larga  ", "u0002": ""})
    assert answer.status_code == 200
    assert answer.json() == client.get(f"{API}/{job_id}/script").json()
    first, second = answer.json()["utterances"]
    assert (answer.json()["revision"], answer.json()["made_revision"]) == (1, 0)
    assert (first["target_text"], first["edited"], first["changed"]) == ("una frase demasiado larga", True, True)
    assert first["machine_text"] == "machine u0001"
    assert first["flags"] == ["edited", "low_confidence"]
    assert [warning["code"] for warning in first["warnings"]] == ["too_long"]
    assert (second["target_text"], second["flags"][:2]) == ("", ["kept_original", "edited"])
    assert [warning["code"] for warning in second["warnings"]] == ["kept_original"]

    assert client.post(f"{API}/{job_id}/redub").status_code == 202
    lease = desk.claim()
    made = line("u0001", target_text="una frase demasiado larga", flags=["edited", "overflow"])
    desk.publish(lease, "es", made, line("u0002", target_text="source u0002", flags=["kept_original", "edited"]))
    first, second = client.get(f"{API}/{job_id}/script").json()["utterances"]
    assert (first["changed"], first["flags"]) == (False, ["edited", "overflow"])
    assert (second["target_text"], second["changed"]) == ("", False)

    back = edit(client, job_id, 1, {"u0001": None, "u0002": None}).json()["utterances"]
    assert [(one["target_text"], one["edited"], one["changed"]) for one in back] == [
        ("machine u0001", False, True),
        ("machine u0002", False, True),
    ]


def test_a_line_that_no_machine_could_translate_shows_its_source(client: TestClient, desk: ScriptedJobs) -> None:
    untranslated = line("u0001", machine_text=None, target_text="source u0001", flags=["kept_original"])
    job_id = desk.publish(desk.claimed(), "es", untranslated)
    (shown,) = client.get(f"{API}/{job_id}/script").json()["utterances"]
    assert (shown["machine_text"], shown["target_text"]) == (None, "source u0001")
    (shown,) = edit(client, job_id, 0, {"u0001": "a mano"}).json()["utterances"]
    assert (shown["target_text"], shown["flags"], shown["warnings"]) == ("a mano", ["edited"], [])


def test_documents_of_before_there_were_editors_can_be_edited(client: TestClient, desk: ScriptedJobs) -> None:
    old = line("u0001")
    del old["machine_text"], old["budget_characters"]
    lease = desk.claimed()
    key = desk.document(lease, "es", old)
    document = json.loads(desk.blobs.get_bytes(key))
    del document["revision"]
    desk.blobs.put_bytes(key, json.dumps(document).encode())
    desk.ledger.publish(lease, "es", {}, {}, script=key)
    (shown,) = edit(client, lease.job_id, 0, {"u0001": "una frase demasiado larga"}).json()["utterances"]
    assert (shown["budget_characters"], shown["warnings"]) == (None, [])


@pytest.mark.parametrize(
    ("utterances", "fields"),
    [
        ([("u0009", "x"), ("u0001", "y"), ("u0001", "z")], ["0.id", "2.id"]),
        ([("u0001", "a\nb"), ("u0002", "a\u2028b")], ["0.target_text", "1.target_text"]),
        ([("u0001", "\x00"), ("u0002", "\x1b[31m")], ["0.target_text", "1.target_text"]),
        ([("u0001", "\ud800")], ["0.target_text"]),
        ([("u0001", "x" * 2001)], ["0.target_text"]),
        ([("", "x"), ("u" * 33, "x")], ["0.id", "1.id"]),
    ],
    ids=["unknown and repeated", "line breaks", "control characters", "surrogate", "too long", "bad ids"],
)
def test_an_edit_is_refused_as_a_whole_with_all_that_is_wrong(
    client: TestClient, desk: ScriptedJobs, utterances: list[tuple[str, str]], fields: list[str]
) -> None:
    job_id = desk.publish(desk.claimed())
    body = {"revision": 0, "utterances": [{"id": name, "target_text": text} for name, text in utterances]}
    answer = client.patch(
        f"{API}/{job_id}/script", content=json.dumps(body), headers={"Content-Type": "application/json"}
    )
    assert refused(answer) == (422, "invalid_request")
    assert [error["field"] for error in answer.json()["errors"]] == [f"body.utterances.{field}" for field in fields]
    assert desk.ledger.edits(job_id, "es").revision == 0


@pytest.mark.parametrize(
    "body",
    [
        {"revision": 0, "utterances": []},
        {"revision": -1, "utterances": [{"id": "u0001", "target_text": "x"}]},
        {"revision": 2**31, "utterances": [{"id": "u0001", "target_text": "x"}]},
        {"utterances": [{"id": "u0001", "target_text": "x"}]},
        {"revision": 0, "utterances": [{"id": "u0001"}]},
        {"revision": 0, "utterances": [{"id": "u0001", "target_text": "x", "speaker": "S2"}]},
        [],
    ],
)
def test_what_is_no_edit_is_refused(client: TestClient, desk: ScriptedJobs, body: Any) -> None:
    job_id = desk.publish(desk.claimed())
    assert refused(client.patch(f"{API}/{job_id}/script", json=body)) == (422, "invalid_request")


def test_an_edit_of_what_somebody_else_has_edited_is_a_conflict(client: TestClient, desk: ScriptedJobs) -> None:
    job_id = desk.publish(desk.claimed())
    edit(client, job_id, 0, {"u0001": "hola"})
    assert refused(edit(client, job_id, 0, {"u0001": "buenas"})) == (409, "conflict")
    assert edit(client, job_id, 0, {"u0001": "hola"}).json()["revision"] == 1  # sent again
    assert edit(client, job_id, 1, {"u0001": "buenas"}).json()["revision"] == 2


def test_a_job_of_several_languages_wants_to_know_which(client: TestClient, desk: ScriptedJobs) -> None:
    lease = desk.claimed("es", "pt-BR")
    desk.publish(lease, "es")
    assert refused(client.get(f"{API}/{lease.job_id}/script")) == (422, "invalid_request")
    assert refused(client.get(f"{API}/{lease.job_id}/script?language=fr")) == (404, "not_found")
    assert refused(client.get(f"{API}/{lease.job_id}/script?language=%00")) == (404, "not_found")
    assert refused(client.get(f"{API}/{lease.job_id}/script?language=pt-br")) == (409, "conflict")
    assert client.get(f"{API}/{lease.job_id}/script?language=Spanish").json()["target_language"] == "es"
    assert edit(client, lease.job_id, 0, {"u0001": "hola"}, "?language=es").status_code == 200


def test_the_jobs_of_others_are_unknown_on_every_route(client: TestClient, desk: ScriptedJobs) -> None:
    job_id = desk.publish(desk.claimed(tenant="others"))
    for unknown in (job_id, "f" * 32, "nonsense"):
        answers = [
            client.get(f"{API}/{unknown}/script"),
            edit(client, unknown, 0, {"u0001": "hola"}),
            client.post(f"{API}/{unknown}/redub"),
            client.post(f"{API}/{unknown}/languages", json={"target_languages": ["fr"]}),
        ]
        assert {refused(answer) for answer in answers} == {(404, "not_found")}
    assert desk.ledger.edits(job_id, "es").revision == 0


def test_dubbing_again_is_accepted_once_something_was_edited(client: TestClient, desk: ScriptedJobs) -> None:
    lease = desk.claimed("es", "fr")
    for language in ("es", "fr"):
        desk.publish(lease, language)
    job_id = lease.job_id
    assert refused(client.post(f"{API}/{job_id}/redub")) == (409, "conflict")
    edit(client, job_id, 0, {"u0001": "hola"}, "?language=es")
    assert refused(client.post(f"{API}/{job_id}/redub", json={"language": "fr"})) == (409, "conflict")
    assert refused(client.post(f"{API}/{job_id}/redub", json={"language": "de"})) == (404, "not_found")
    assert refused(client.post(f"{API}/{job_id}/redub", json={"lang": "es"})) == (422, "invalid_request")

    answer = client.post(f"{API}/{job_id}/redub", json={"language": "es"})
    assert (answer.status_code, answer.json()["status"]) == (202, "uploaded")
    assert answer.headers["location"] == f"{API}/{job_id}/status"
    assert refused(client.post(f"{API}/{job_id}/redub")) == (409, "conflict")
    assert client.get(f"{API}/{job_id}/script?language=es").status_code == 200  # the former one


def test_a_review_is_read_edited_and_given(client: TestClient, desk: ScriptedJobs) -> None:
    lease = desk.claimed(review=True)
    draft = line("u0001", target_text="machine u0001", placed_start=1.0, placed_end=3.0, rate=1.0)
    desk.ledger.await_review(lease, "es", desk.document(lease, "es", draft, draft=True))
    job_id = lease.job_id

    script = client.get(f"{API}/{job_id}/script").json()
    assert (script["draft"], script["utterances"][0]["target_text"]) == (True, "machine u0001")
    assert edit(client, job_id, 0, {"u0001": "mejor"}).status_code == 200
    assert refused(client.post(f"{API}/{job_id}/retry")) == (409, "conflict")
    assert client.post(f"{API}/{job_id}/redub").status_code == 202
    job = desk.ledger.job(job_id)
    assert (job.status, job.reviewed) == (JobStatus.UPLOADED, True)
    desk.claim()
    assert desk.ledger.outputs(job_id)[0].revision == 1


def test_languages_are_added_as_an_upload_names_them(client: TestClient, desk: ScriptedJobs) -> None:
    desk.ledger.replace_languages([SupportedLanguage(tag, tag, tag) for tag in ("es", "fr", "de", "it")])
    job_id = desk.publish(desk.claimed(source_language="en"))

    def add(*languages: str) -> Any:
        return client.post(f"{API}/{job_id}/languages", json={"target_languages": languages})

    for wrong in (("tlh",), ("nonsense",), ("en",)):
        answer = add(*wrong)
        assert refused(answer) == (422, "unsupported_language")
        assert answer.json()["errors"] != []
    assert refused(add()) == (422, "invalid_request")
    assert refused(add("fr", "de", "it")) == (422, "invalid_request")
    assert desk.ledger.job(job_id).request.target_languages == ("es",)

    answer = add("French", "es,de")
    assert (answer.status_code, answer.json()["status"]) == (202, "uploaded")
    assert desk.ledger.job(job_id).request.target_languages == ("es", "fr", "de")
    assert add("de").status_code == 202  # it has that one already
    assert refused(client.post(f"{API}/{job_id}/redub")) == (409, "conflict")


def test_deleting_a_job_deletes_its_documents(client: TestClient, desk: ScriptedJobs) -> None:
    job_id = desk.publish(desk.claimed())
    edit(client, job_id, 0, {"u0001": "hola"})
    assert client.delete(f"{API}/{job_id}").status_code == 204
    assert list(desk.blobs.keys("documents")) == []
    assert refused(client.get(f"{API}/{job_id}/script")) == (404, "not_found")
