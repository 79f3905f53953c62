from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Chunk, Upload
from cluster.ledger.tables import uploads
from tests.fixtures.ledgers import request


def announced(ledger: Ledger, size: int = 100, **changes: Any) -> Upload:
    values: dict[str, Any] = {"seconds": 3600.0, "key": "uploads/acme/film.mp4"}
    return ledger.create_upload("acme", "film.mp4", size, **(values | changes))


def let_it_expire(ledger: Ledger, upload: Upload) -> None:
    past = update(uploads).where(uploads.c.id == upload.id).values(expires_at=1.0)
    ledger._database.write(lambda connection: connection.execute(past))


def test_what_is_announced_is_found_by_its_tenant_alone(ledger: Ledger) -> None:
    upload = announced(ledger, multipart="theirs")

    assert ledger.upload("acme", upload.id) == upload
    assert (upload.name, upload.size, upload.received, upload.complete) == ("film.mp4", 100, 0, False)
    assert upload.multipart == "theirs"
    assert upload.expires_at - upload.created_at == pytest.approx(3600.0, abs=1.0)
    for tenant, number in (("other", upload.id), ("acme", "0" * 32), ("acme", "\0\ud800")):
        with pytest.raises(DubflowError) as unknown:
            ledger.upload(tenant, number)
        assert unknown.value.code is ErrorCode.NOT_FOUND


def test_chunks_add_up_and_are_counted_once(ledger: Ledger) -> None:
    upload = announced(ledger)
    first, second = Chunk(0, 60, "one"), Chunk(60, 40, "two")

    assert ledger.add_chunk("acme", upload.id, first).received == 60
    assert ledger.add_chunk("acme", upload.id, second).received == 100

    assert ledger.chunks("acme", upload.id) == (first, second)


@pytest.mark.parametrize(
    "chunk", [Chunk(0, 10, "again"), Chunk(30, 10, "gap"), Chunk(59, 10, "overlap"), Chunk(60, 41, "long")]
)
def test_a_chunk_that_does_not_fit_changes_nothing(ledger: Ledger, chunk: Chunk) -> None:
    upload = announced(ledger)
    ledger.add_chunk("acme", upload.id, Chunk(0, 60, "one"))

    with pytest.raises(DubflowError) as refused:
        ledger.add_chunk("acme", upload.id, chunk)

    assert refused.value.code is ErrorCode.CONFLICT
    assert ledger.upload("acme", upload.id).received == 60
    assert ledger.chunks("acme", upload.id) == (Chunk(0, 60, "one"),)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
@settings(max_examples=25)
def test_received_is_always_what_the_chunks_cover(ledger: Ledger, tries: list[tuple[int, int]]) -> None:
    upload, received = announced(ledger, size=12), 0
    for number, (offset, size) in enumerate(tries):
        chunk = Chunk(offset, size, f"{upload.id}-{number}")
        fits = offset == received and 0 < size <= 12 - received
        if fits:
            ledger.add_chunk("acme", upload.id, chunk)
            received += size
        else:
            with pytest.raises(DubflowError):
                ledger.add_chunk("acme", upload.id, chunk)
        covered = [place for piece in ledger.chunks("acme", upload.id) for place in range(piece.size)]
        assert ledger.upload("acme", upload.id).received == received == len(covered)


def test_a_complete_upload_can_be_a_source(ledger: Ledger) -> None:
    upload = announced(ledger)
    ledger.add_chunk("acme", upload.id, Chunk(0, 100, "one"))

    done = ledger.complete_upload("acme", upload.id, uri="file:///film.mp4", version="v1", seconds=7200.0)

    assert (done.complete, done.received, done.uri, done.version) == (True, 100, "file:///film.mp4", "v1")
    assert done.expires_at - done.created_at == pytest.approx(7200.0, abs=10.0)
    assert ledger.chunks("acme", upload.id) == ()
    assert ledger.complete_upload("acme", upload.id, uri="file:///other", version="v2", seconds=1.0) == done
    with pytest.raises(DubflowError) as refused:
        ledger.add_chunk("acme", upload.id, Chunk(100, 1, "more"))
    assert refused.value.code is ErrorCode.CONFLICT


@pytest.mark.parametrize(
    "use",
    [
        lambda ledger, number: ledger.upload("acme", number),
        lambda ledger, number: ledger.chunks("acme", number),
        lambda ledger, number: ledger.add_chunk("acme", number, Chunk(0, 1, "late")),
        lambda ledger, number: ledger.complete_upload("acme", number, uri="u", version="v", seconds=1.0),
    ],
)
def test_an_expired_upload_is_gone(ledger: Ledger, use: Callable[[Ledger, str], object]) -> None:
    upload = announced(ledger)
    let_it_expire(ledger, upload)

    with pytest.raises(DubflowError) as gone:
        use(ledger, upload.id)

    assert gone.value.code is ErrorCode.NOT_FOUND


def test_uploads_that_no_job_needs_are_swept_once_they_expired(ledger: Ledger) -> None:
    names = ("open", "used", "unused", "young")
    made = {name: announced(ledger, key=name, seconds=3600.0) for name in names}
    for name in ("used", "unused"):
        ledger.complete_upload("acme", made[name].id, uri=f"file:///{name}", version="v", seconds=3600.0)
    ledger.submit(request(source_uri="file:///used", tenant="acme"))
    ledger.submit(request(source_uri="file:///unused", tenant="somebody else"))
    for name in ("open", "used", "unused"):
        let_it_expire(ledger, made[name])

    swept = ledger.expired_uploads(0.0)

    assert {upload.key for upload in swept} == {"open", "unused"}
    assert ledger.expired_uploads(seconds_ago=1e12) == ()
    for upload in swept:
        ledger.forget_upload(upload.id, upload.tenant)
    assert ledger.expired_uploads(0.0) == ()
    assert ledger.upload("acme", made["young"].id) == made["young"]


def test_forgetting_takes_the_chunks_along_and_nobody_elses(ledger: Ledger) -> None:
    upload = announced(ledger)
    ledger.add_chunk("acme", upload.id, Chunk(0, 10, "one"))

    ledger.forget_upload(upload.id, "other")
    assert ledger.upload("acme", upload.id).received == 10
    ledger.forget_upload(upload.id, "acme")
    ledger.forget_upload(upload.id, "acme")

    with pytest.raises(DubflowError):
        ledger.upload("acme", upload.id)
    assert announced(ledger, upload_id=upload.id).received == 0
    assert ledger.chunks("acme", upload.id) == ()
