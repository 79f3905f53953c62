import pytest
from sqlalchemy import update

from cluster import layout
from cluster.blobs.contract import BlobStore, DirectBlobs
from cluster.errors import DubflowError, ErrorCode
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import Chunk, Upload
from cluster.ledger.tables import uploads
from cluster.uploads import remove_upload, sweep_uploads
from tests.fixtures.ledgers import request


@pytest.fixture
def ledger(sqlite_url: str) -> Ledger:
    return Ledger(sqlite_url)


def begun(ledger: Ledger, blobs: BlobStore, number: int) -> Upload:
    upload_id = f"{number:032x}"
    key = f"{layout.upload('acme', upload_id)}/source.mp4"
    multipart = blobs.begin_multipart(key) if isinstance(blobs, DirectBlobs) else ""
    ledger.create_upload("acme", "a.mp4", 10, seconds=60, upload_id=upload_id, key=key, multipart=multipart)
    blobs.put_bytes(f"{layout.upload('acme', upload_id)}/chunks/0", b"12345")
    return ledger.add_chunk("acme", upload_id, Chunk(0, 5, "chunk"))


def let_all_expire(ledger: Ledger) -> None:
    ledger._database.write(lambda connection: connection.execute(update(uploads).values(expires_at=1.0)))


def test_expired_uploads_go_with_their_bytes_and_those_that_jobs_need_stay(ledger: Ledger, blobs: BlobStore) -> None:
    open_one, used = begun(ledger, blobs, 1), begun(ledger, blobs, 2)
    blobs.put_bytes(used.key, b"1234567890")
    uri = blobs.uri(used.key)
    ledger.complete_upload("acme", used.id, uri=uri, version="v", seconds=60.0)
    ledger.submit(request(source_uri=uri, tenant="acme"))
    assert sweep_uploads(ledger, blobs, seconds_ago=0.0) == ()
    assert ledger.upload("acme", open_one.id) == open_one

    let_all_expire(ledger)
    assert sweep_uploads(ledger, blobs, seconds_ago=0.0) == ()

    assert list(blobs.keys(layout.upload("acme", open_one.id))) == []
    assert blobs.get_bytes(used.key) == b"1234567890"
    if isinstance(blobs, DirectBlobs):
        with pytest.raises(DubflowError) as gone:
            blobs.stored_parts(open_one.key, open_one.multipart)
        assert gone.value.code is ErrorCode.NOT_FOUND
    assert ledger.expired_uploads(0.0) == ()


def test_a_sweep_that_fails_for_one_goes_on_with_the_others_and_comes_back(
    ledger: Ledger, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun(ledger, blobs, 1)
    begun(ledger, blobs, 2)
    let_all_expire(ledger)
    real = type(blobs).delete_prefix

    def fail(store: BlobStore, prefix: str) -> None:
        if prefix.endswith("1"):
            raise DubflowError(ErrorCode.STORAGE_FAILED, "the disk is away")
        real(store, prefix)

    with monkeypatch.context() as patch:
        patch.setattr(type(blobs), "delete_prefix", fail)
        (failure,) = sweep_uploads(ledger, blobs, seconds_ago=0.0)
        assert failure.code is ErrorCode.STORAGE_FAILED
    assert [upload.id for upload in ledger.expired_uploads(0.0)] == [f"{1:032x}"]

    assert sweep_uploads(ledger, blobs, seconds_ago=0.0) == ()
    assert list(blobs.keys()) == []


def test_removing_an_upload_twice_is_no_error(ledger: Ledger, blobs: BlobStore) -> None:
    upload = begun(ledger, blobs, 1)

    for _ in range(2):
        remove_upload(ledger, blobs, upload)

    assert list(blobs.keys()) == []
