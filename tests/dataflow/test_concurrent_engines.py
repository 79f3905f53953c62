"""Rows that ask a language model: real connections to a server whose answers take as long as the test says."""

import asyncio
import threading
import time
from collections.abc import Callable

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.translation import Line, Translation, TranslationRequest
from actors.translation.openai_compatible import OpenAiCompatible
from cluster.errors import LeaseLostError
from dataflow import work
from dataflow.engine_host import EngineHost
from dataflow.work import Work
from tests.fixtures.language_server import LanguageServer, Material, serving

WORDS = {
    "The river runs slowly to the sea.": "El río corre despacio hacia el mar.",
    "My brother works in a large hospital.": "Mi hermano trabaja en un hospital grande.",
    "Nobody knows where the money went.": "Nadie sabe dónde fue el dinero.",
    "She opened the window and looked outside.": "Ella abrió la ventana y miró hacia fuera.",
}
SLOW, *QUICK = WORDS


def host(server: LanguageServer, at_once: int) -> EngineHost[TranslationRequest, Translation]:
    parameters = {"url": server.url, "model": "m", "fallback": "none", "at_once": str(at_once)}
    engine = OpenAiCompatible(EngineOptions(parameters=parameters))
    return EngineHost(engine, budget=1.0, cost=lambda _request: 1.0)


class Row(threading.Thread):
    """A row of a job that asks for one line."""

    def __init__(self, asked: EngineHost[TranslationRequest, Translation], text: str, wanted: Work) -> None:
        super().__init__(daemon=True)
        self._asked, self._text, self._wanted = asked, text, wanted
        self.answer: str | Exception | None = None
        self.start()

    def run(self) -> None:
        work._thread.work = self._wanted
        try:
            said = self._asked.ask(TranslationRequest("en", "es", (Line("u1", "S1", self._text, 3.0),)))
            self.answer = said.lines[0].text
        except (EngineError, LeaseLostError) as error:
            self.answer = error


def until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class Gate:
    """Holds the questions with a certain line until it is opened."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open = threading.Event()

    async def __call__(self, material: Material) -> None:
        if material["lines"][0]["text"] == self._text:
            while not self._open.is_set():  # noqa: ASYNC110 - opened from another thread
                await asyncio.sleep(0.001)

    def open(self) -> None:
        self._open.set()


def test_one_slow_answer_holds_back_no_other_row() -> None:
    gate = Gate(SLOW)
    with serving(WORDS, gate, slots=2) as server:
        asked = host(server, at_once=2)
        slow = Row(asked, SLOW, Work())
        until(lambda: server.begun == [SLOW])
        quick = [Row(asked, text, Work()) for text in QUICK]
        for row in quick:
            row.join(30)
        assert [row.answer for row in quick] == [WORDS[text] for text in QUICK]
        assert slow.answer is None
        gate.open()
        slow.join(30)
        assert slow.answer == WORDS[SLOW]
        assert server.over[-1] == SLOW
        assert server.most == 2


def test_the_server_is_asked_no_more_at_once_than_it_may_be() -> None:
    async def short(_material: Material) -> None:
        await asyncio.sleep(0.02)

    with serving(WORDS, short, slots=100) as server:
        asked = host(server, at_once=3)
        rows = [Row(asked, text, Work()) for text in list(WORDS) * 4]
        for row in rows:
            row.join(30)
        assert [row.answer for row in rows] == [*WORDS.values()] * 4
        assert 1 < server.most <= 3


def test_a_cancelled_row_frees_its_place_in_the_server() -> None:
    with serving(WORDS, Gate(SLOW), slots=1) as server:
        asked = host(server, at_once=1)
        job = Work()
        slow, waiting = Row(asked, SLOW, job), Row(asked, QUICK[0], Work())
        until(lambda: server.begun == [SLOW])
        job.cancel()
        slow.join(30)
        waiting.join(30)
        assert isinstance(slow.answer, LeaseLostError)
        assert waiting.answer == WORDS[QUICK[0]]
        assert server.let_go == [SLOW]
        assert server.over == [QUICK[0]]


def test_rows_that_somebody_waits_for_go_first() -> None:
    gate = Gate(SLOW)
    with serving(WORDS, gate, slots=1) as server:
        asked = host(server, at_once=1)
        rows = [Row(asked, SLOW, Work())]
        until(lambda: server.begun == [SLOW])
        for text, urgent in zip(QUICK, (False, False, True), strict=True):
            rows.append(Row(asked, text, Work(urgent=urgent)))
            until(lambda: len(asked._queue._lanes) == len(rows) - 1)
        gate.open()
        for row in rows:
            row.join(30)
        assert server.over == [SLOW, QUICK[2], QUICK[0], QUICK[1]]
