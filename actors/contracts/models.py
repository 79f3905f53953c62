from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """Weights that an engine needs; who runs it fetches them before it is loaded.

    Attributes:
        name: A name for people and for the folder that the files lie in: `whisper-large-v3-turbo`.
        source: A Hugging Face repository (`owner/name`), a local folder, or `s3://bucket/prefix`.
        revision: Of a repository: the commit whose files are meant. Of a folder: a digest of what lies in it.
        licence: SPDX expression, or the licence's own name, of the weights.
        commercial_use: False where the licence forbids paid use.
        gigabytes: About how much is to be downloaded.
        files: Patterns of the files that are needed; all where empty.
    """

    name: str
    source: str
    revision: str
    licence: str
    commercial_use: bool = True
    gigabytes: float = 0.0
    files: tuple[str, ...] = ()

    def folder(self, models: Path) -> Path:
        """Where the files lie: below the folder of all models, or where they are where the source is a folder."""
        return Path(self.source) if Path(self.source).is_absolute() else models / self.name / self.revision
