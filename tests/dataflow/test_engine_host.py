import threading
import time
from collections.abc import Sequence

import pytest

from actors.contracts.engine import Capability, EngineError, EngineInfo
from cluster.errors import LeaseLostError
from dataflow import work
from dataflow.engine_host import EngineHost
from dataflow.work import Work


class Slow:
    """Waits at a gate with each batch; a request `bad` gets an error."""

    info = EngineInfo("slow", Capability.TRANSLATION, "1", "none", "Apache-2.0")

    def __init__(self) -> None:
        self.loads = 0
        self.batches: list[list[str]] = []
        self.gate = threading.Event()

    def check(self) -> None: ...

    def load(self) -> None:
        self.loads += 1

    def run(self, batch: Sequence[str]) -> list[str | EngineError]:
        self.batches.append(list(batch))
        assert self.gate.wait(60)
        return [EngineError("bad") if request == "bad" else request.upper() for request in batch]

    def close(self) -> None: ...


def host(engine: Slow, *, warm: bool = False) -> EngineHost[str, str]:
    return EngineHost(engine, budget=10.0, cost=lambda _: 1.0, warm=warm)


def wait_for_batches(engine: Slow, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(engine.batches) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_answers_come_in_order_and_a_bad_request_costs_itself() -> None:
    engine = Slow()
    engine.gate.set()
    asked = host(engine)
    first, bad, last = asked.ask_all(["a", "bad", "b"])
    assert (first, last) == ("A", "B")
    assert isinstance(bad, EngineError)
    with pytest.raises(EngineError):
        asked.ask("bad")
    assert engine.loads == 1


def test_requests_of_a_cancelled_row_leave_and_those_beside_them_are_served(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Slow()
    asked = host(engine)
    cancelled, answers = Work(), {}

    def ask(name: str, requests: list[str], wanted: Work) -> None:
        work._thread.work = wanted
        try:
            answers[name] = asked.ask_all(requests)
        except LeaseLostError as error:
            answers[name] = error

    def begin(name: str, requests: list[str], wanted: Work) -> threading.Thread:
        thread = threading.Thread(target=ask, args=(name, requests, wanted))
        thread.start()
        return thread

    running = begin("running", ["r"], cancelled)
    wait_for_batches(engine, 1)
    rows = [begin("waiting", ["w1", "w2"], cancelled), begin("neighbour", ["n"], Work())]
    while len(asked._queue._lanes) < 3:
        time.sleep(0.005)
    cancelled.cancel()
    running.join(60)
    rows[0].join(60)
    assert isinstance(answers["running"], LeaseLostError)
    assert isinstance(answers["waiting"], LeaseLostError)
    engine.gate.set()
    rows[1].join(60)
    assert answers["neighbour"] == ["N"]
    assert engine.batches == [["r"], ["n"]]

    begin("later", ["l"], cancelled).join(60)
    assert isinstance(answers["later"], LeaseLostError)
    assert engine.batches == [["r"], ["n"]]


def test_a_warm_engine_is_loaded_before_anybody_asks() -> None:
    engine = Slow()
    host(engine, warm=True)
    deadline = time.monotonic() + 60
    while not engine.loads:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_an_engine_that_does_not_load_at_first_says_so_to_who_asks() -> None:
    class Unloadable(Slow):
        def load(self) -> None:
            raise EngineError("no weights", code="model_missing")

    asked = host(Unloadable(), warm=True)
    with pytest.raises(EngineError, match="no weights"):
        asked.ask("a")
