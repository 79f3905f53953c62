"""Results go to stdout, everything else to stderr; colours only on terminals, and never against NO_COLOR."""

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from cluster.errors import DubflowError

out = Console(highlight=False, markup=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def stray_output_into(path: Path) -> Iterator[None]:
    """Send what libraries print by themselves into a file; `out` and `err` go on writing to where they did."""
    with path.open("ab") as file, ExitStack() as restored:
        for console, descriptor in ((out, 1), (err, 2)):
            console.file.flush()
            kept = os.dup(descriptor)
            stream = restored.enter_context(os.fdopen(kept, "w", buffering=1, encoding="utf-8", errors="replace"))
            restored.callback(os.dup2, kept, descriptor)
            restored.callback(setattr, console, "file", console.file)
            console.file = stream
            os.dup2(file.fileno(), descriptor)
        yield


def print_json(record: dict[str, Any]) -> None:
    """One JSON object on a line of its own; ASCII, so that names that are no text stay legal JSON."""
    out.file.write(json.dumps(record) + "\n")
    out.file.flush()


def report_error(error: DubflowError) -> None:
    """An error as one line: its code to look up, what happened and what to do."""
    err.print(f"dubflow: {error.code}: {error.message}")


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A plain table; nothing is shortened, so that ids can be copied and lines be cut by other programs."""
    widths = [max(len(row[i]) for row in [columns, *rows]) for i in range(len(columns))]
    for row in [columns, *rows]:
        out.print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
