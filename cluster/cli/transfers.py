"""How far a file is on its way, on stderr: a bar on a terminal, a line a quarter elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

_QUARTERS = 4
_MEGABYTE = 1_000_000


@contextmanager
def transfer(console: Console, name: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show a transfer of `size` bytes; gives a function to be told how many of them are there."""
    if not console.is_terminal:
        yield _lines(console, name, size)
        return
    columns = (TextColumn("{task.description}"), BarColumn(30), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bars:
        task = bars.add_task(name, total=size)
        yield lambda done: bars.update(task, completed=done)


def _lines(console: Console, name: str, size: int) -> Callable[[int], None]:
    shown = 0

    def tell(done: int) -> None:
        nonlocal shown
        quarter = _QUARTERS * done // size if size else _QUARTERS
        if quarter > shown:
            shown = quarter
            console.print(f"{name}: {done / _MEGABYTE:.1f} of {size / _MEGABYTE:.1f} MB")

    return tell
