"""A message is written with the end of its job, taken by one sender at a time, and never forgotten."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Failure
from cluster.ledger.tables import deliveries
from tests.fixtures.ledgers import claimed, request

URL = "https://hooks.example/dub"


def cancelled(ledger: Ledger, name: str = "talk", url: str = URL) -> str:
    job_id = ledger.submit(request(name, webhook_url=url)).id
    ledger.cancel(job_id)
    return job_id


def let_time_pass(ledger: Ledger) -> None:
    ledger._database.write(lambda connection: connection.execute(update(deliveries).values(next_at=0.0)))


def statuses(ledger: Ledger, job_id: str) -> list[tuple[str, int, str | None]]:
    return [(one.status, one.attempts, one.answer) for one in ledger.deliveries(job_id)]


def test_the_end_of_a_job_is_one_message_without_content(ledger: Ledger) -> None:
    lease = claimed(ledger, webhook_url=URL)
    assert ledger.deliveries(lease.job_id) == ()
    ledger.publish(lease, "es", {"video": "s3://secret/talk.es.mp4"}, {"utterances": 3})
    (message,) = ledger.deliveries(lease.job_id)
    assert json.loads(message.body) == {
        "type": "job.completed",
        "data": {"job_id": lease.job_id, "status": "completed"},
    }
    assert (message.status, message.attempts) == ("waiting", 0)


def test_a_failure_and_a_cancel_are_told_too_and_a_retry_tells_again(ledger: Ledger) -> None:
    lease = claimed(ledger, webhook_url=URL)
    ledger.fail(lease, Failure(ErrorCode.NO_AUDIO, "nothing to hear"))
    ledger.requeue(lease.job_id)
    ledger.cancel(lease.job_id)
    found = ledger.deliveries(lease.job_id)
    assert [json.loads(one.body)["type"] for one in found] == ["job.failed", "job.cancelled"]
    assert len({one.id for one in found}) == 2


def test_an_attempt_that_is_tried_again_is_not_told(ledger: Ledger) -> None:
    lease = claimed(ledger, webhook_url=URL)
    ledger.fail(lease, Failure(ErrorCode.STORAGE_FAILED, "may pass"))
    assert ledger.deliveries(lease.job_id) == ()


def test_without_a_webhook_there_is_nothing_to_tell(ledger: Ledger) -> None:
    job_id = cancelled(ledger, url="")
    assert ledger.deliveries(job_id) == ()
    assert ledger.claim_deliveries(5, 60.0) == ()


def test_a_refused_change_leaves_no_message(ledger: Ledger) -> None:
    lease = claimed(ledger, webhook_url=URL)
    ledger.publish(lease, "es", {}, {})
    with pytest.raises(DubflowError):
        ledger.cancel(lease.job_id)
    assert len(ledger.deliveries(lease.job_id)) == 1


def test_a_message_in_hand_is_not_given_to_another_sender(ledger: Ledger) -> None:
    job_id = cancelled(ledger)
    (message,) = ledger.claim_deliveries(5, 60.0)
    assert (message.job_id, message.url, message.attempts) == (job_id, URL, 1)
    assert ledger.claim_deliveries(5, 60.0) == ()


def test_a_message_of_a_sender_that_died_is_given_to_the_next_and_the_first_is_too_late(ledger: Ledger) -> None:
    job_id = cancelled(ledger)
    (first,) = ledger.claim_deliveries(5, 60.0)
    let_time_pass(ledger)
    (second,) = ledger.claim_deliveries(5, 60.0)
    assert (second.id, second.attempts) == (first.id, 2)
    ledger.give_up(first, "too late")
    assert statuses(ledger, job_id) == [("waiting", 2, None)]
    ledger.delivered(second, "HTTP 204")
    ledger.postpone(second, "said twice", 0.0)
    assert statuses(ledger, job_id) == [("delivered", 2, "HTTP 204")]


def test_a_postponed_message_comes_back_in_its_time(ledger: Ledger) -> None:
    job_id = cancelled(ledger)
    (message,) = ledger.claim_deliveries(5, 60.0)
    ledger.postpone(message, "HTTP 503", 3600.0)
    assert ledger.claim_deliveries(5, 60.0) == ()
    assert statuses(ledger, job_id) == [("waiting", 1, "HTTP 503")]
    let_time_pass(ledger)
    assert [one.attempts for one in ledger.claim_deliveries(5, 60.0)] == [2]


def test_a_receiver_that_is_gone_gets_nothing_more(ledger: Ledger) -> None:
    jobs = [cancelled(ledger, name) for name in ("a", "b")]
    other = cancelled(ledger, "c", "https://hooks.example/other")
    message = next(one for one in ledger.claim_deliveries(5, 60.0) if one.job_id == jobs[0])
    ledger.give_up_receiver(message, "HTTP 410")
    assert [status for job in jobs for status, _, _ in statuses(ledger, job)] == ["given_up", "given_up"]
    assert statuses(ledger, other)[0][0] == "waiting"


def test_senders_side_by_side_take_each_message_once(database_url: str) -> None:
    ledger = Ledger(database_url)
    expected = sorted(ledger.deliveries(cancelled(ledger, f"talk {number}"))[0].id for number in range(24))

    def take_all(_: int) -> list[str]:
        own, taken = Ledger(database_url), list[str]()
        while found := own.claim_deliveries(3, 600.0):
            taken += [one.id for one in found]
        own.close()
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [name for names in pool.map(take_all, range(4)) for name in names]
    ledger.close()
    assert sorted(taken) == expected


def test_messages_go_with_their_job(ledger: Ledger) -> None:
    job_id = cancelled(ledger)
    ledger.delete(job_id)
    assert ledger.deliveries(job_id) == ()


def test_a_tenants_secret_is_made_once_and_is_its_own(ledger: Ledger) -> None:
    (secret,) = ledger.webhook_secrets("tenant")
    assert secret.startswith("whsec_")
    assert ledger.webhook_secrets("tenant") == (secret,)
    assert ledger.webhook_secrets("other") != (secret,)


def test_a_rotation_keeps_the_secret_before_and_no_older_one(ledger: Ledger) -> None:
    (first,) = ledger.webhook_secrets("tenant")
    second = ledger.rotate_webhook_secret("tenant")
    assert ledger.webhook_secrets("tenant") == (second, first)
    third = ledger.rotate_webhook_secret("tenant")
    assert ledger.webhook_secrets("tenant") == (third, second)
