"""The service's chores, beside the flow: telling webhooks, and removing what has had its time."""

from collections.abc import Callable
from threading import Event, Thread

import structlog

from cluster.accounts.accounts import Accounts
from cluster.blobs.store import open_blobs
from cluster.errors import DubflowError
from cluster.ledger.ledger import Ledger
from cluster.retention import sweep
from cluster.settings import Settings
from cluster.webhooks import deliver_due

_LOOK_SECONDS = 2.0
"""How soon a webhook is called at the latest."""
_SWEEP_SECONDS = 3600.0

log = structlog.get_logger()


def do_chores(settings: Settings, ledger: Ledger, accounts: Accounts, stop: Event) -> None:
    """Do the chores until told to stop, then finish those in hand; any number of processes may.

    Blocks: it is for a thread of its own. What fails is logged, and tried again.
    """
    blobs = open_blobs(settings.blobs, settings.s3_endpoint_url)

    def tell() -> bool:
        return deliver_due(ledger, allow_private=settings.webhook_allow_private) > 0

    def remove() -> bool:
        accounts.sweep()
        swept = sweep(ledger, blobs, settings)
        log.info("swept", jobs=swept.jobs, unfinished=swept.unfinished, failed=len(swept.failed))
        return swept.more

    # Apart: a sweep of many files must not keep webhooks waiting. A daemon: a process that ends does not wait for it.
    sweeping = Thread(target=_repeat, args=(remove, _SWEEP_SECONDS, stop), daemon=True, name="sweep")
    sweeping.start()
    _repeat(tell, _LOOK_SECONDS, stop)
    sweeping.join()


def _repeat(chore: Callable[[], bool], pause: float, stop: Event) -> None:
    more = False
    while not stop.wait(0.0 if more else pause):
        more = False
        try:
            more = chore()
        except DubflowError as error:
            log.warning("a chore failed", code=error.code.value, error=error.message)
        except Exception:  # a fault of one chore must not end it for ever
            log.exception("a chore failed")
