"""The endless flow of the service: the same graph as of a command, with its pools warm."""

import signal
from collections.abc import Callable, Iterable
from dataclasses import asdict
from importlib.metadata import version
from threading import Lock, Thread
from typing import NoReturn

import psutil
import structlog
from pydantic_core import to_jsonable_python

from cluster.keys import digest
from cluster.ledger.records import SupportedLanguage
from cluster.placement import Plan
from cluster.scratch import RUN_PREFIX, sweep
from cluster.settings import Settings
from dataflow.context import FlowContext
from dataflow.languages import describe, offers
from dataflow.planning import check_engines, make_plan

log = structlog.get_logger()

TURNS_WITHIN_SECONDS = 30.0
"""Ray's loop turns ten times a second; one that has not turned for so long is not waiting, it hangs."""


class ServiceFlow:
    """The detached actor that supervisors start: `run` returns when the flow has ended, and the process ends with it.

    Args:
        settings: Those of the service.
        configuration: What `configuration` made of them where the supervisor runs.
    """

    def __init__(self, settings: Settings, configuration: str) -> None:
        from dataflow.driver import Driver  # noqa: PLC0415 - it brings Ray Data, which the supervisor has no use for

        self._settings = settings
        self._configuration = configuration
        self._plan = make_plan(settings)
        self._driver = Driver(FlowContext(settings, self._plan, owner=""), self._beat)
        self._running = Lock()
        self._bytes_at_start = _resident_bytes()
        # A node that is shut down says so; what is in hand may end, and the leases go back at once.
        signal.signal(signal.SIGTERM, lambda *_: Thread(target=self.drain, daemon=True).start())

    @staticmethod
    def configuration(settings: Settings) -> str:
        """Changes with everything that a running flow would have to be replaced for."""
        plan = to_jsonable_python(asdict(make_plan(settings)))
        return digest(version("dubflow"), settings.model_dump(mode="json"), plan)

    def run(self) -> None:
        """Work until the flow is drained, then end the process; another call while one is at work returns at once."""
        import ray  # noqa: PLC0415 - as in __init__

        if not self._running.acquire(blocking=False):
            return
        try:
            self._driver.run_until_drained(self._starting)
        except Exception:  # the ledger has what fails a job; this process ends and its supervisor starts another
            log.exception("the flow broke off")
        exit_actor: Callable[[], NoReturn] = ray.actor.exit_actor
        exit_actor()

    def drain(self) -> None:
        """Let parts in hand end and begin nothing else."""
        self._driver.drain()

    def _starting(self, owner: str) -> None:
        ledger = self._driver.ledger
        ledger.flow_started(owner, self._settings.cell, self._configuration)
        check_engines(self._plan, self._settings)
        ledger.replace_languages(supported_languages(self._plan))
        self._settings.scratch_folder.mkdir(parents=True, exist_ok=True)
        sweep(self._settings.scratch_folder, RUN_PREFIX)

    def _beat(self, owner: str) -> None:
        if self._pulse_felt():
            self._driver.ledger.flow_beats(owner, max(0, _resident_bytes() - self._bytes_at_start))

    @staticmethod
    def _pulse_felt() -> bool:
        from dataflow.pulse import Pulse  # noqa: PLC0415 - as in __init__

        return Pulse.felt_within(TURNS_WITHIN_SECONDS)


def supported_languages(plan: Plan) -> Iterable[SupportedLanguage]:
    """What the service offers with a plan's engines: languages that it dubs into, from, or both."""
    into = {offer.code: offer for offer in offers(plan)}
    sources = {source for offer in into.values() for source in offer.sources}
    for code in sorted(into.keys() | sources):
        name, native_name = describe(code)
        cloning = code in into and into[code].voice_cloning
        yield SupportedLanguage(
            code, name, native_name, source=code in sources, target=code in into, voice_cloning=cloning
        )


def _resident_bytes() -> int:
    return int(psutil.Process().memory_info().rss)
