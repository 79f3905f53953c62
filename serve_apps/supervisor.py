"""What stands beside the doors, as a deployment: the supervisor of the endless flow, and the service's chores."""

from contextlib import suppress
from threading import Event, Thread

from ray import serve
from ray.serve import Application, Deployment

from cluster.accounts.accounts import Accounts
from cluster.accounts.records import Limits
from cluster.chores import do_chores
from cluster.ledger.ledger import Ledger
from cluster.settings import Settings
from cluster.supervision import make_supervisor


class FlowSupervisor:
    """One replica that keeps the flow alive and the house in order.

    The flow outlives it: the next replica finds it at work.

    Args:
        settings: Those of the service.
    """

    def __init__(self, settings: Settings) -> None:
        self._ledger = Ledger(
            settings.database, lease_seconds=settings.lease_seconds, max_attempts=settings.max_job_attempts
        )
        self._stop = Event()
        supervisor = make_supervisor(settings, self._ledger)
        accounts = Accounts(settings.database, Limits.of(settings))
        chores = (settings, self._ledger, accounts, self._stop)
        self._threads = (
            Thread(target=supervisor.run, args=(self._stop,), daemon=True, name="supervisor"),
            Thread(target=do_chores, args=chores, daemon=True, name="chores"),
        )
        for thread in self._threads:
            thread.start()

    def check_health(self) -> None:
        """What Serve asks now and then; a replica that is not healthy is replaced.

        Raises:
            RuntimeError: Nobody watches the flow any more, or nobody does the chores.
        """
        for thread in self._threads:
            if not thread.is_alive():
                raise RuntimeError(f"the {thread.name}'s thread has ended")

    def __del__(self) -> None:
        """Let the next supervisor act at once."""
        with suppress(AttributeError):  # one that could not be made
            self._stop.set()
            for thread in self._threads:
                thread.join(timeout=10.0)


Supervisor: Deployment = serve.deployment(
    name="Supervisor",
    num_replicas=1,
    ray_actor_options={"num_cpus": 0},
    health_check_period_s=10,
    graceful_shutdown_timeout_s=20,
)(FlowSupervisor)


def flow_supervisor(settings: Settings) -> Application:
    """The deployment, to be bound into the application beside what answers requests."""
    application: Application = Supervisor.bind(settings)
    return application
