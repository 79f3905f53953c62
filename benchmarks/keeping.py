"""Where the figures of a benchmark are kept."""

import json
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any


def keep(figures: Any, path: Path | None) -> None:
    """Write figures as JSON, records and lists of records too; nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(figures, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(figure: Any) -> Any:
    if is_dataclass(figure) and not isinstance(figure, type):
        return asdict(figure)
    raise TypeError(f"{type(figure).__name__} is nothing that is measured")
