"""Keeps exactly one endless flow alive: starts it, notices death and silence, replaces what is worn or out of date."""

from contextlib import suppress
from importlib.metadata import entry_points
from math import inf
from threading import Event
from time import monotonic
from typing import Any, Protocol

import structlog

from cluster.errors import DubflowError, ErrorCode, LeaseLostError
from cluster.ledger.ledger import Ledger
from cluster.ledger.records import FlowState
from cluster.metrics import queue_gauges
from cluster.owner import is_dead, this_process
from cluster.settings import Settings

log = structlog.get_logger()

GROUP = "dubflow.flows"
ROUND_SECONDS = 1.0
START_SECONDS = 180.0
"""How long a flow may take from its start until the ledger hears of it; its process imports much meanwhile."""
QUEUE_SECONDS = 15.0
"""How often the metrics are told how the queue stands."""
_DUTY_SECONDS = 15.0
_FORGET_SECONDS = 3600.0
"""A flow that has been silent for so long does not live anywhere."""
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 60.0


class FlowClass(Protocol):
    """What the entry point `service` of the group `dubflow.flows` offers.

    Its objects live in one process each. `run` works until `Ledger.drain` is called for the owner with which it has
    made itself known by `Ledger.flow_started`, beats by `Ledger.flow_beats`, and ends its process at last.
    """

    def __call__(self, settings: Settings, configuration: str) -> Any:
        """Make a flow that does nothing yet."""
        ...

    def configuration(self, settings: Settings) -> str:
        """Digest of everything that a running flow would have to be replaced for."""
        ...


class FlowActor(Protocol):
    """The one flow's process, wherever it runs."""

    def exists(self) -> bool:
        """Whether it lives, as far as the cluster knows."""
        ...

    def start(self) -> None:
        """Bring it up, or find the one that another supervisor has just brought up."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class Supervisor:
    """One of perhaps several; of them the one acts that has the duty in the ledger.

    Args:
        settings: Those of the service.
        ledger: Open and up to date.
        actor: The flow's process.
        configuration: What a flow has to be running with.
    """

    def __init__(self, settings: Settings, ledger: Ledger, actor: FlowActor, configuration: str) -> None:
        self._settings = settings
        self._ledger = ledger
        self._actor = actor
        self._configuration = configuration
        self._me = str(this_process())
        self._duty = f"supervise:{settings.cell}"
        self._duty_until = 0.0
        self._queue_told_at = -inf
        self._watched_since = monotonic()
        self._started_at: float | None = None
        self._lost: set[str] = set()
        self._failures = 0
        self._start_after = 0.0

    def run(self, stop: Event) -> None:
        """Watch until told to stop; the flow goes on, for the next supervisor to find."""
        while not stop.wait(ROUND_SECONDS):
            try:
                self.look()
            except DubflowError as error:
                # While the ledger does not answer, a flow cannot be heard: nothing is concluded from its silence.
                self._watched_since = monotonic()
                log.warning("the flow cannot be watched", error=error.message)
            except Exception:  # a supervisor that ends leaves a flow that nobody starts again
                self._watched_since = monotonic()
                log.exception("the flow cannot be watched")
        self._ledger.leave_duty(self._duty, self._me)

    def look(self) -> None:
        """One round: see how things are, and do the one thing that is needed."""
        if not self._on_duty():
            return
        if taken := self._ledger.expire_the_dead():
            log.warning("jobs of a process that is gone are free again", jobs=len(taken))
        self._tell_queue()
        flow = self._known_flow()
        if not self._actor.exists():
            if flow is not None:
                self._give_up(flow)
            self._bring_up()
        elif flow is None:
            self._await_start()
        else:
            self._watch(flow)

    def _on_duty(self) -> bool:
        if monotonic() < self._duty_until - _DUTY_SECONDS / 2:
            return True
        asked = monotonic()
        if not self._ledger.take_duty(self._duty, self._me, _DUTY_SECONDS):
            self._duty_until = 0.0
            self._watched_since = monotonic()
            return False
        self._duty_until = asked + _DUTY_SECONDS
        return True

    def _tell_queue(self) -> None:
        if monotonic() - self._queue_told_at > QUEUE_SECONDS:
            self._queue_told_at = monotonic()
            queue_gauges(self._ledger)

    def _known_flow(self) -> FlowState | None:
        """The newest flow of this cell that may live; any other is told to end, should it live after all."""
        known = self._ledger.flows(self._settings.cell)
        for flow in known:
            if is_dead(flow.owner) or (flow.owner in self._lost and flow.silent > _FORGET_SECONDS):
                self._ledger.flow_ended(flow.owner)
        alive = [flow for flow in known if not is_dead(flow.owner) and flow.owner not in self._lost]
        for flow in alive[:-1]:
            self._give_up(flow)
        return alive[-1] if alive else None

    def _give_up(self, flow: FlowState) -> None:
        """Ray has lost a flow that might still live somewhere: it must not claim jobs beside the next one."""
        self._lost.add(flow.owner)
        self._ledger.drain(flow.owner)

    def _bring_up(self) -> None:
        """Start a flow, the later the more often it has ended soon after its start."""
        now = monotonic()
        if self._started_at is not None:
            lived = now - self._started_at
            self._started_at = None
            self._failures = self._failures + 1 if lived < _LONGEST_PAUSE_SECONDS else 0
            pause = min(_FIRST_PAUSE_SECONDS * 2.0**self._failures, _LONGEST_PAUSE_SECONDS) if self._failures else 0.0
            self._start_after = now + pause
            log.warning("the flow has ended", lived_seconds=round(lived), again_in_seconds=pause)
        if now >= self._start_after:
            log.info("starting the flow", configuration=self._configuration)
            self._actor.start()
            self._started_at = self._watched_since = monotonic()

    def _await_start(self) -> None:
        if monotonic() - self._watched_since > START_SECONDS:
            self._end("it did not come up")

    def _watch(self, flow: FlowState) -> None:
        settings = self._settings
        watched = monotonic() - self._watched_since
        # One that ends because it was asked to is followed at once, however young it is.
        self._started_at = monotonic() - flow.age if flow.draining is None else None
        if min(flow.silent, watched) > self._patience(flow):
            self._end("it has fallen silent")
        elif flow.draining is not None:
            if flow.draining > settings.drain_seconds:
                self._end("its parts in hand did not end")
        elif flow.configuration != self._configuration:
            self._replace(flow, "the configuration has changed")
        elif self._worn(flow) and (self._worn(flow, times=2) or not self._ledger.in_hand(flow.owner).total):
            self._replace(flow, "its memory is to be returned")

    def _patience(self, flow: FlowState) -> float:
        """How long a flow may be silent; one that has not been heard yet is still bringing up its actors."""
        never_heard = flow.silent >= flow.age
        return max(START_SECONDS, self._settings.lease_seconds) if never_heard else self._settings.lease_seconds

    def _worn(self, flow: FlowState, times: int = 1) -> bool:
        settings = self._settings
        return flow.age > times * settings.flow_hours * 3600 or flow.grown_bytes > times * settings.flow_memory_bytes

    def _replace(self, flow: FlowState, why: str) -> None:
        log.info("the flow is drained and replaced", why=why)
        self._ledger.drain(flow.owner)

    def _end(self, why: str) -> None:
        log.warning("the flow is ended", why=why)
        self._actor.kill()


class RayFlow:
    """The flow as a detached actor of the Ray cluster that this process is connected to; its name makes it the one.

    Args:
        settings: Those of the service.
        flow_class: What runs in it.
        configuration: What it is started with.
    """

    NAMESPACE = "dubflow"

    def __init__(self, settings: Settings, flow_class: FlowClass, configuration: str) -> None:
        self._settings = settings
        self._class = flow_class
        self._configuration = configuration
        self._name = f"flow-{settings.cell}"

    def exists(self) -> bool:
        """Whether Ray knows it to live."""
        return self._find() is not None

    def start(self) -> None:
        """Bring it up, or find the one that is there."""
        import ray  # noqa: PLC0415 - takes seconds, and reads its environment when it is imported

        actor_class: Any = ray.remote(self._class)
        actor = actor_class.options(
            name=self._name,
            namespace=self.NAMESPACE,
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=0,
            max_concurrency=4,
        ).remote(self._settings, self._configuration)
        actor.run.remote()

    def kill(self) -> None:
        """End it and, with it, all actors of its pools."""
        import ray  # noqa: PLC0415 - as above

        if actor := self._find():
            ray.kill(actor)

    def _find(self) -> Any | None:
        import ray  # noqa: PLC0415 - as above

        try:
            return ray.get_actor(self._name, namespace=self.NAMESPACE)
        except ValueError:
            return None


def make_supervisor(settings: Settings, ledger: Ledger) -> Supervisor:
    """A supervisor in this process, which is connected to Ray.

    Raises:
        DubflowError: `environment` where no flow is installed.
    """
    flow_class = _flow_class()
    configuration = flow_class.configuration(settings)
    return Supervisor(settings, ledger, RayFlow(settings, flow_class, configuration), configuration)


def end_flow(settings: Settings, ledger: Ledger, seconds: float) -> None:
    """Drain this cell's flow and see it end; to be called when no supervisor is there to start another.

    Args:
        settings: Those of the service.
        ledger: Open and up to date.
        seconds: How long parts in hand may take. What is not over then is lost, but its job goes back uncounted too.
    """
    actor = RayFlow(settings, _flow_class(), "")
    owners = [flow.owner for flow in ledger.flows(settings.cell)]
    for owner in owners:
        ledger.drain(owner)
    deadline, pause = monotonic() + seconds, Event()
    while ledger.flows(settings.cell) and actor.exists() and monotonic() < deadline:
        pause.wait(ROUND_SECONDS / 4)
    actor.kill()
    for owner in owners:
        for lease in ledger.leases_of(owner):
            with suppress(LeaseLostError):
                ledger.hand_back(lease)
        ledger.flow_ended(owner)


def _flow_class() -> FlowClass:
    for entry in entry_points(group=GROUP, name="service"):
        flow_class: FlowClass = entry.load()
        return flow_class
    raise DubflowError(ErrorCode.ENVIRONMENT, "no flow is installed; install dubflow again")
