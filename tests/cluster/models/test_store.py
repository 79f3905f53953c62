import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.errors import DubflowError, ErrorCode
from cluster.models import manifest, store
from cluster.models.store import ModelState, ModelStore
from tests.fixtures.object_store import ObjectStore


@dataclass(frozen=True)
class Wanted:
    """Weights as an engine describes them."""

    name: str = "tiny"
    source: str = "owner/tiny"
    revision: str = "main"
    licence: str = "MIT"
    commercial_use: bool = True
    gigabytes: float = 0.1
    files: tuple[str, ...] = ()

    def folder(self, models: Path) -> Path:
        return Path(self.source) if Path(self.source).is_absolute() else models / self.name / self.revision


@pytest.fixture
def original(tmp_path: Path) -> Path:
    folder = tmp_path / "original"
    (folder / "deep").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"weights" * 1000)
    (folder / "deep" / "tokens.json").write_text("{}")
    (folder / "README.md").write_text("read me")
    return folder


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_weights_are_copied_sealed_and_known_again(tmp_path: Path, original: Path) -> None:
    spec = Wanted(files=("*.bin", "deep/*"))
    models = ModelStore(tmp_path / "models", sources={"tiny": str(original)})
    assert models.state(spec) is ModelState.MISSING
    folder = models.fetch(spec)
    assert names(folder) == {"model.bin", "deep/tokens.json", manifest.NAME}
    assert models.state(spec, thorough=True) is ModelState.PRESENT
    sealed = manifest.read(folder)
    assert sealed is not None
    assert (sealed.source, sealed.licence) == (str(original), "MIT")


def test_damage_is_seen_and_mended_by_the_next_fetch(tmp_path: Path, original: Path) -> None:
    spec = Wanted()
    models = ModelStore(tmp_path / "models", sources={"tiny": str(original)})
    folder = models.fetch(spec)
    good = (folder / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(good[:-1] + b"!")
    assert models.state(spec) is ModelState.PRESENT, "sizes alone do not tell"
    assert models.state(spec, thorough=True) is ModelState.DAMAGED
    (folder / "model.bin").write_bytes(good[:10])
    assert models.state(spec) is ModelState.DAMAGED
    models.fetch(spec)
    assert (folder / "model.bin").read_bytes() == good


def test_of_many_that_want_the_same_one_fetches(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    download = store.download

    def counted(source: str, *rest: object) -> str:
        fetched.append(source)
        return download(source, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "download", counted)
    models = ModelStore(tmp_path / "models", sources={"tiny": str(original)})
    threads = [threading.Thread(target=models.fetch, args=(Wanted(),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert fetched == [str(original)]


def test_a_fetch_that_breaks_off_leaves_nothing(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(_source: str, _revision: str, _files: object, into: Path, _endpoint: str) -> str:
        (into / "model.bin").write_bytes(b"half")
        raise DubflowError(ErrorCode.MODEL_MISSING, "the line is dead")

    monkeypatch.setattr(store, "download", half)
    models = ModelStore(tmp_path / "models")
    with pytest.raises(DubflowError, match="the line is dead"):
        models.fetch(Wanted())
    assert models.state(Wanted()) is ModelState.MISSING
    assert [name for name in names(tmp_path / "models") if not name.endswith(".lock")] == []


def test_what_may_not_be_used_for_money_has_to_be_allowed(tmp_path: Path, original: Path) -> None:
    spec = Wanted(licence="CC-BY-NC-4.0", commercial_use=False)
    sources = {"tiny": str(original)}
    with pytest.raises(DubflowError, match=r"CC-BY-NC-4\.0.*DUBFLOW_ALLOW_NONCOMMERCIAL") as refused:
        ModelStore(tmp_path / "models", sources=sources).fetch(spec)
    assert refused.value.code is ErrorCode.LICENCE_REFUSED
    assert ModelStore(tmp_path / "models", sources=sources, allow_noncommercial=True).fetch(spec).is_dir()


def test_a_folder_is_used_where_it_lies(tmp_path: Path, original: Path) -> None:
    models = ModelStore(tmp_path / "models")
    assert models.fetch(Wanted(source=str(original))) == original
    gone = Wanted(source=str(tmp_path / "gone"))
    assert models.state(gone) is ModelState.MISSING
    with pytest.raises(DubflowError) as missing:
        models.fetch(gone)
    assert missing.value.code is ErrorCode.MODEL_MISSING


def test_weights_come_out_of_a_bucket(tmp_path: Path, object_store: ObjectStore) -> None:
    client, bucket = object_store.client(), object_store.bucket()
    for key, body in {"m/tiny/model.bin": b"1234", "m/tiny/deep/a.json": b"{}", "m/other/x": b"no"}.items():
        client.put_object(Bucket=bucket, Key=key, Body=body)
    sources = {"tiny": f"s3://{bucket}/m/tiny"}
    models = ModelStore(tmp_path / "models", sources=sources, s3_endpoint_url=object_store.url)
    assert names(models.fetch(Wanted())) == {"model.bin", "deep/a.json", manifest.NAME}
    sources = {"tiny": f"s3://{bucket}/nothing"}
    with pytest.raises(DubflowError) as empty:
        ModelStore(tmp_path / "m2", sources=sources, s3_endpoint_url=object_store.url).fetch(Wanted())
    assert empty.value.code is ErrorCode.NOT_FOUND
