"""Where weights come from: a Hugging Face repository, a bucket, a folder."""

import errno
import shutil
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

from cluster.errors import DubflowError, ErrorCode


def download(source: str, revision: str, files: Sequence[str], into: Path, s3_endpoint_url: str) -> str:
    """Put a model's files into a folder.

    Args:
        source: `owner/name`, `s3://bucket/prefix` or an absolute folder.
        revision: Of a repository.
        files: Patterns of what is needed; all where empty.
        into: An empty folder.
        s3_endpoint_url: For S3-compatible servers.

    Returns:
        The commit that the revision stands for; empty where the source has none.

    Raises:
        DubflowError: `model_missing` (no way to the source), `not_found`, `disk_full`, `storage_failed`.
    """
    try:
        if source.startswith("s3://"):
            _from_bucket(source, files, into, s3_endpoint_url)
        elif Path(source).is_absolute():
            _from_folder(Path(source), files, into)
        else:
            return _from_hub(source, revision, files, into)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise DubflowError(
                ErrorCode.DISK_FULL, f"no room for {source} in {into.parent}; free some or set DUBFLOW_MODELS"
            ) from error
        raise DubflowError(ErrorCode.STORAGE_FAILED, f"{source} cannot be fetched: {error}") from error
    return ""


def _from_hub(repository: str, revision: str, files: Sequence[str], into: Path) -> str:
    from huggingface_hub import HfApi, snapshot_download  # noqa: PLC0415 - takes a second
    from huggingface_hub.errors import (  # noqa: PLC0415 - as above
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        commit = HfApi().model_info(repository, revision=revision).sha or revision
        snapshot_download(repository, revision=commit, local_dir=into, allow_patterns=list(files) or None)
    except GatedRepoError as error:
        raise DubflowError(
            ErrorCode.MODEL_MISSING,
            f"{repository} is given out only to who has accepted its terms: accept them at its page, then set HF_TOKEN",
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no {repository} at revision {revision}") from error
    except (
        Exception
    ) as error:  # the hub's client lets through whatever its transport raises, and has changed that before
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise
        raise DubflowError(
            ErrorCode.MODEL_MISSING,
            f"{repository} cannot be fetched ({type(error).__name__}); try again where there is a network, or name a "
            "copy of it in DUBFLOW_MODEL_SOURCES",
        ) from error
    shutil.rmtree(into / ".cache", ignore_errors=True)
    return str(commit)


def _from_bucket(address: str, files: Sequence[str], into: Path, endpoint_url: str) -> None:
    from cluster.objects import object_client, object_errors  # noqa: PLC0415 - boto3 takes long to import

    parts = urlsplit(address)
    prefix = parts.path.strip("/") + "/"
    client = object_client(endpoint_url)
    found = False
    with object_errors(address):
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=parts.netloc, Prefix=prefix):
            for item in page.get("Contents", ()):
                name = item["Key"].removeprefix(prefix)
                if name and not name.endswith("/") and _wanted(name, files):
                    target = into / name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    client.download_file(parts.netloc, item["Key"], str(target))
                    found = True
    if not found:
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is nothing under {address}")


def _from_folder(folder: Path, files: Sequence[str], into: Path) -> None:
    if not folder.is_dir():
        raise DubflowError(ErrorCode.NOT_FOUND, f"there is no folder {folder}")
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and _wanted(name, files):
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)


def _wanted(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatch(name, pattern) for pattern in patterns)
