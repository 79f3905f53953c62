from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from threading import Lock, Thread
from typing import Generic, TypeVar

from actors.admission import Admission
from actors.batcher import MicroBatcher
from actors.contracts.engine import ConcurrentEngine, Engine, EngineError
from actors.loop_thread import LoopThread
from actors.waiting import Batch
from cluster import metrics
from cluster.errors import DubflowError, LeaseLostError
from dataflow.context import FlowContext
from dataflow.work import current

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")


class EngineHost(Generic[RequestT, ResultT]):
    """An engine at work in an actor, fed by however many rows wait for it: in batches, or all the time if it can.

    Args:
        engine: Not loaded yet.
        budget: The greatest cost of one batch; an engine that is given none has its own measure.
        cost: What a request counts towards it, such as its seconds of audio.
        prepare: Called before the engine is loaded, to get its weights here.
        warm: Load the engine now, in the background, instead of at its first use.
    """

    def __init__(
        self,
        engine: Engine[RequestT, ResultT] | ConcurrentEngine[RequestT, ResultT],
        *,
        budget: float,
        cost: Callable[[RequestT], float],
        prepare: Callable[[], None] = lambda: None,
        warm: bool = False,
    ) -> None:
        self._engine = engine
        self._prepare = prepare
        self._queue: Admission[RequestT, ResultT] | MicroBatcher[RequestT, ResultT] = (
            Admission(engine, on_answer=self._count)
            if isinstance(engine, ConcurrentEngine)
            else MicroBatcher(engine, budget=budget, cost=cost, on_batch=self._count)
        )
        self._loading = Lock()
        self._loaded = False
        self._loop = LoopThread("batcher")
        if warm:
            Thread(target=self._warm_up, daemon=True, name="loading").start()

    def ask(self, request: RequestT) -> ResultT:
        """Serve one request, beside those of other threads.

        Raises:
            EngineError: What the engine says of this request, or of itself.
            DubflowError: Its weights may not be used here, or cannot be had.
            LeaseLostError: Nobody wants the answer any more; the request has left the queue, or the engine.
        """
        (outcome,) = self.ask_all([request])
        if isinstance(outcome, EngineError):
            raise outcome
        return outcome

    def ask_all(self, requests: Sequence[RequestT]) -> list[ResultT | EngineError]:
        """Serve several requests at once; one outcome each, in order.

        Raises:
            EngineError: The engine cannot be loaded.
            LeaseLostError: Nobody wants the answers any more; as in `ask`.
        """
        self._ensure_loaded()
        work = current()
        work.check()
        futures: list[Future[ResultT]] = [
            self._loop.submit(self._queue.submit(request, urgent=work.urgent)) for request in requests
        ]
        with work.ending(lambda: _cancel(futures)):
            return list(map(_outcome, futures))

    def _count(self, batch: Batch) -> None:
        capability = self._engine.info.capability.value
        metrics.BATCH_SIZE.observe(batch.requests, capability=capability)
        metrics.BATCH_FILL.observe(batch.fill, capability=capability)
        metrics.ENGINE_SECONDS.add(batch.seconds, capability=capability)
        metrics.GPU_SECONDS.add(batch.seconds * metrics.gpu_share(), capability=capability)

    def _warm_up(self) -> None:
        with suppress(EngineError, DubflowError):  # the first row that needs it tries again, and says what is wrong
            self._ensure_loaded()

    def _ensure_loaded(self) -> None:
        with self._loading:
            if not self._loaded:
                self._prepare()
                self._engine.load()
                self._loaded = True


def hosted(
    engine: Engine[RequestT, ResultT] | ConcurrentEngine[RequestT, ResultT],
    context: FlowContext,
    *,
    budget: float,
    cost: Callable[[RequestT], float],
    early: bool = True,
) -> EngineHost[RequestT, ResultT]:
    """An engine of a flow, which gets its weights when they are needed: in a service early, before anybody waits."""
    return EngineHost(
        engine, budget=budget, cost=cost, prepare=context.provider(engine.info), warm=early and context.endless
    )


def _cancel(futures: Sequence[Future[ResultT]]) -> None:
    for future in futures:
        future.cancel()


def _outcome(future: Future[ResultT]) -> ResultT | EngineError:
    try:
        return future.result()
    except EngineError as error:
        return error
    except CancelledError:
        raise LeaseLostError("this job is not wanted any more") from None
