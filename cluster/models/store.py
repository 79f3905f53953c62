"""The weights of this node: fetched once, sealed with a manifest, never half there."""

import shutil
import tempfile
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import structlog
from filelock import FileLock

from cluster.errors import DubflowError, ErrorCode
from cluster.models import manifest
from cluster.models.origins import download
from cluster.models.specs import Spec

log = structlog.get_logger()


class ModelState(StrEnum):
    """How weights stand on this node."""

    PRESENT = "present"
    MISSING = "missing"
    DAMAGED = "damaged"


class ModelStore:
    """A folder with a folder for each model and revision.

    Args:
        folder: Of all models.
        sources: Where weights come from instead, by their name: a mirror, a bucket, a folder.
        allow_noncommercial: Whether weights whose licence forbids paid use may be fetched and used.
        s3_endpoint_url: For S3-compatible servers.
    """

    def __init__(
        self,
        folder: Path,
        *,
        sources: Mapping[str, str] | None = None,
        allow_noncommercial: bool = False,
        s3_endpoint_url: str = "",
    ) -> None:
        self._folder = folder
        self._sources = dict(sources or {})
        self._allow_noncommercial = allow_noncommercial
        self._s3_endpoint_url = s3_endpoint_url

    def state(self, spec: Spec, *, thorough: bool = False) -> ModelState:
        """How a model stands; thoroughly reads every byte of it."""
        folder = spec.folder(self._folder)
        if Path(spec.source).is_absolute():
            return ModelState.PRESENT if folder.is_dir() else ModelState.MISSING
        found = manifest.read(folder)
        if found is None:
            return ModelState.MISSING
        return ModelState.DAMAGED if manifest.damage(folder, found, thorough=thorough) else ModelState.PRESENT

    def require_licence(self, spec: Spec) -> None:
        """Make sure that a model may be used here.

        Raises:
            DubflowError: `licence_refused`.
        """
        if not spec.commercial_use and not self._allow_noncommercial:
            raise DubflowError(
                ErrorCode.LICENCE_REFUSED,
                f"the licence of {spec.name} ({spec.licence}) forbids commercial use; choose another engine, or set "
                "DUBFLOW_ALLOW_NONCOMMERCIAL=true where you do not dub for money",
            )

    def fetch(self, spec: Spec) -> Path:
        """The folder of a model, fetched where it is not there yet; of several processes one fetches.

        Raises:
            DubflowError: `licence_refused`, `model_missing` (no way to the source), `not_found`, `disk_full`.
        """
        self.require_licence(spec)
        folder = spec.folder(self._folder)
        if self.state(spec) is ModelState.PRESENT:
            return folder
        if Path(spec.source).is_absolute():
            raise DubflowError(ErrorCode.MODEL_MISSING, f"{folder} is no folder; name one that holds {spec.name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f".{folder.name}.lock")):
            if self.state(spec) is not ModelState.PRESENT:
                self._fetch(spec, folder)
        return folder

    def _fetch(self, spec: Spec, folder: Path) -> None:
        source = self._sources.get(spec.name, spec.source)
        log.info("fetching weights", model=spec.name, source=source, licence=spec.licence, gigabytes=spec.gigabytes)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            commit = download(source, spec.revision, spec.files, unfinished, self._s3_endpoint_url)
            manifest.seal(unfinished, source, spec.revision, commit, spec.licence)
            if folder.exists():
                shutil.rmtree(folder)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
