"""Messages on the wire: signed, repeated, given up, and never sent to where a user must not reach."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from cluster import webhooks
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.webhooks import MAX_ATTEMPTS, deliver_due, pause_after, require_webhook_url
from tests.cluster.ledger.test_deliveries import cancelled, let_time_pass, statuses
from tests.fixtures.receivers import Receiver, certificate_for, receiver

DAY = 24 * 3600.0


@pytest.fixture
def hooks() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


@pytest.fixture
def desk(sqlite_url: str) -> Iterator[Ledger]:
    """A ledger; what differs between databases is tested where the rows are."""
    opened = Ledger(sqlite_url)
    yield opened
    opened.close()


def send(ledger: Ledger) -> int:
    return deliver_due(ledger, allow_private=True)


def test_a_message_arrives_with_a_signature_that_the_library_verifies(desk: Ledger, hooks: Receiver) -> None:
    job_id = cancelled(desk, url=hooks.url)
    assert send(desk) == 1
    ((headers, body),) = hooks.received
    secret = desk.webhook_secrets("default")[0]
    told = Webhook(secret).verify(body, headers)
    assert told == {"type": "job.cancelled", "data": {"job_id": job_id, "status": "cancelled"}}
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.replace("cancelled", "completed"), headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(desk.webhook_secrets("stranger")[0]).verify(body, headers)
    assert statuses(desk, job_id) == [("delivered", 1, "HTTP 204")]
    assert send(desk) == 0


def test_a_rotated_secret_is_taken_beside_the_one_before(desk: Ledger, hooks: Receiver) -> None:
    (before,) = desk.webhook_secrets("default")
    after = desk.rotate_webhook_secret("default")
    cancelled(desk, url=hooks.url)
    send(desk)
    ((headers, body),) = hooks.received
    assert Webhook(before).verify(body, headers) == Webhook(after).verify(body, headers)


@pytest.mark.parametrize("status", [500, 503, 429, 408, 409, 425, 301, 302])
def test_what_may_pass_is_sent_again_under_the_same_id(desk: Ledger, hooks: Receiver, status: int) -> None:
    job_id = cancelled(desk, url=hooks.url)
    hooks.statuses = [status, 200]
    hooks.location = f"{hooks.url}/elsewhere"
    send(desk)
    assert statuses(desk, job_id) == [("waiting", 1, f"HTTP {status}")]
    assert send(desk) == 0, "not before its time"
    let_time_pass(desk)
    send(desk)
    assert statuses(desk, job_id) == [("delivered", 2, "HTTP 200")]
    assert len(hooks.received) == 2, "redirects are not followed"
    assert len(set(hooks.ids)) == 1


@pytest.mark.parametrize("status", [400, 401, 404, 405, 422])
def test_a_refusal_is_taken_for_an_answer(desk: Ledger, hooks: Receiver, status: int) -> None:
    job_id = cancelled(desk, url=hooks.url)
    hooks.statuses = [status]
    send(desk)
    assert statuses(desk, job_id) == [("given_up", 1, f"HTTP {status}")]


def test_gone_ends_all_messages_to_that_receiver(
    desk: Ledger, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "_AT_ONCE", 1)
    jobs = [cancelled(desk, name, hooks.url) for name in ("a", "b")]
    hooks.statuses = [410]
    send(desk)
    assert {status for job in jobs for status, _, _ in statuses(desk, job)} == {"given_up"}
    assert len(hooks.received) == 1


def test_a_receiver_that_never_answers_well_is_given_up_in_the_end(desk: Ledger, hooks: Receiver) -> None:
    job_id = cancelled(desk, url=hooks.url)
    hooks.statuses = [500]
    while send(desk):
        let_time_pass(desk)
    assert statuses(desk, job_id) == [("given_up", MAX_ATTEMPTS, "HTTP 500")]
    assert len(hooks.received) == MAX_ATTEMPTS


def test_a_receiver_that_is_away_is_tried_again(desk: Ledger) -> None:
    with receiver() as gone:
        pass
    job_id = cancelled(desk, url=gone.url)
    send(desk)
    ((status, _, answer),) = statuses(desk, job_id)
    assert status == "waiting"
    assert answer is not None
    assert "ConnectError" in answer


def test_a_receiver_that_drips_holds_no_sender(desk: Ledger, hooks: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "TIMEOUT_SECONDS", 0.5)
    slow = cancelled(desk, "slow", hooks.url)
    hooks.drip = True
    with receiver() as healthy:
        quick = cancelled(desk, "quick", healthy.url)
        send(desk)
    assert statuses(desk, slow)[0][0] == "waiting"
    assert statuses(desk, quick)[0][0] == "delivered"


def test_without_permission_nothing_private_is_reached(
    desk: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for("hooks.example", tmp_path)
    with receiver(certificate.server) as inside:
        point_names_at(monkeypatch, "127.0.0.1")
        port = inside.url.split(":")[2]
        job_id = cancelled(desk, url=f"https://hooks.example:{port}")
        deliver_due(desk, tls=certificate.client)
    assert statuses(desk, job_id) == [("given_up", 1, "hooks.example is not on the public internet")]
    assert inside.received == []


def test_the_connection_goes_to_the_address_that_was_checked(
    desk: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second answer of the resolver, as in DNS rebinding, is never asked for; the certificate is the name's."""
    certificate = certificate_for("hooks.example", tmp_path)
    with receiver(certificate.server) as inside:
        asked = point_names_at(monkeypatch, "127.0.0.1")
        port = inside.url.split(":")[2]
        job_id = cancelled(desk, url=f"https://hooks.example:{port}")
        deliver_due(desk, allow_private=True, tls=certificate.client)
    assert statuses(desk, job_id) == [("delivered", 1, "HTTP 204")]
    assert asked == ["hooks.example"]
    assert inside.received[0][0]["host"] == f"hooks.example:{port}".removesuffix("/hook")


def test_a_certificate_of_another_name_is_refused(
    desk: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = certificate_for("other.example", tmp_path)
    with receiver(certificate.server) as inside:
        point_names_at(monkeypatch, "127.0.0.1")
        job_id = cancelled(desk, url=inside.url.replace("127.0.0.1", "hooks.example"))
        deliver_due(desk, allow_private=True, tls=certificate.client)
    assert statuses(desk, job_id)[0][0] == "waiting"
    assert inside.received == []


def test_a_dead_address_of_several_is_passed_over(
    desk: Ledger, hooks: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    point_names_at(monkeypatch, "127.0.0.2", "127.0.0.1")
    job_id = cancelled(desk, url=hooks.url.replace("127.0.0.1", "hooks.example"))
    send(desk)
    assert statuses(desk, job_id) == [("delivered", 1, "HTTP 204")]


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "hooks.example",
            "https://",
            "ftp://hooks.example",
            "http://hooks.example/",
            "https://user:pw@hooks.example",
        ),
        *("https://127.0.0.1/", "https://[::1]/", "https://10.0.0.8/", "https://169.254.169.254/latest/meta-data"),
        *("https://localhost/", "https://ray.localhost/", "https://metadata.google.internal/", "https://printer.local"),
        *("file:///etc/passwd", "https://hooks.example/" + "x" * 3000, "https://\n/"),
    ],
)
def test_addresses_that_are_refused_when_a_job_is_made(url: str) -> None:
    with pytest.raises(DubflowError) as refused:
        require_webhook_url(url, allow_private=False)
    assert refused.value.code is ErrorCode.INVALID_REQUEST


def test_addresses_that_are_taken() -> None:
    for url in ("https://hooks.example/a?token=b", "https://hooks.example:8443"):
        assert require_webhook_url(url, allow_private=False) == url
    assert require_webhook_url("http://localhost:9000/", allow_private=True)


@given(st.integers(1, MAX_ATTEMPTS - 1))
def test_pauses_grow(attempts: int) -> None:
    assert 0 < pause_after(attempts) < pause_after(attempts + 1)


def test_all_attempts_take_about_a_day() -> None:
    for _ in range(100):
        assert 0.75 * DAY < sum(pause_after(attempts) for attempts in range(1, MAX_ATTEMPTS)) < 1.5 * DAY


def point_names_at(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[str]:
    """Let every name have these addresses; returns what will have been asked."""
    asked: list[str] = []
    original = socket.getaddrinfo

    def look_up(host: str, port: int, *arguments: object, **options: object) -> list[tuple[object, ...]]:
        if host in addresses:  # an address is no name: what connects may look at it as it likes
            return original(host, port, *arguments, **options)  # type: ignore[arg-type,return-value]
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked
