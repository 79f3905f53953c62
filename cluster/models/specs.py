from pathlib import Path
from typing import Protocol


class Spec(Protocol):
    """Weights that somebody needs, as engines describe them."""

    @property
    def name(self) -> str:
        """Of the folder."""
        ...

    @property
    def source(self) -> str:
        """A Hugging Face repository, an absolute folder, or `s3://bucket/prefix`."""
        ...

    @property
    def revision(self) -> str:
        """Commit, or a name that is resolved to one when the files are fetched."""
        ...

    @property
    def licence(self) -> str:
        """Of the weights."""
        ...

    @property
    def commercial_use(self) -> bool:
        """False where the licence forbids paid use."""
        ...

    @property
    def gigabytes(self) -> float:
        """About how much there is to fetch."""
        ...

    @property
    def files(self) -> tuple[str, ...]:
        """Patterns of what is needed; all where empty."""
        ...

    def folder(self, models: Path) -> Path:
        """Where the files belong."""
        ...
