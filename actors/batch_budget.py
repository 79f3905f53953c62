"""How much one batch may cost, learned from a device that runs out of memory."""

RECOVER_AFTER = 16
"""So many batches in a row that fitted let the budget double again: what was in the way may have gone."""


class BatchBudget:
    """The cost that a batch may have: halved when memory runs out, won back slowly.

    Args:
        full: What a batch may cost at best, in any unit (seconds of audio, tokens, characters).
    """

    def __init__(self, full: float) -> None:
        self._full = full
        self._now = full
        self._fitted = 0

    @property
    def now(self) -> float:
        """What the next batch may cost."""
        return self._now

    def fitted(self) -> None:
        """A batch was served."""
        self._fitted += 1
        if self._fitted >= RECOVER_AFTER:
            self._fitted = 0
            self._now = min(self._full, 2 * self._now)

    def overran(self, cost: float) -> None:
        """A batch that cost so much did not fit into the memory."""
        self._fitted = 0
        self._now = min(self._now, cost) / 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a library says so: torch with a class of its own, CTranslate2 and onnxruntime in words only."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "out of memory" in str(error).lower()
    )
