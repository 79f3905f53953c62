"""The engine against a real server that runs a small language model."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from actors.contracts.engine import EngineError, EngineOptions
from actors.contracts.translation import TranslatedLine, Translation, TranslationRequest
from actors.loop_thread import LoopThread
from actors.translation.openai_compatible import OpenAiCompatible
from tests.fixtures.checkpoints.chat import ERRING, PLAIN, READ, SHORT, SOURCES, chat_checkpoint
from tests.fixtures.checkpoints.marian import TRANSLATIONS

STARTS_WITHIN_SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of transformers' own server, with the small model."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("server") / "log"
    program = [str(Path(sys.executable).with_name("transformers")), "serve", str(chat_checkpoint())]
    flags = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as said:
        process = subprocess.Popen(
            [*program, *flags], stdout=said, stderr=said, env=environment, start_new_session=True
        )
    try:
        _wait_until_up(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_until_up(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            if httpx.get(address, timeout=5).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-2000:])


class Running:
    """The engine in an event loop, asked from outside of it."""

    def __init__(self, engine: OpenAiCompatible) -> None:
        self._engine = engine
        self._loop = LoopThread("engine")
        engine.check()
        engine.load()

    def run(self, requests: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        async def all_of_them() -> list[Any]:
            return list(await asyncio.gather(*map(self._engine.answer, requests), return_exceptions=True))

        return self._loop.run(all_of_them())

    def close(self) -> None:
        self._loop.run(self._close())
        self._loop.close()

    async def _close(self) -> None:
        await self._engine.close()


@pytest.fixture(scope="module")
def engine(server: str) -> Iterator[Running]:
    parameters = {"url": server, "model": str(chat_checkpoint()), "fallback": "none"}
    engine = Running(OpenAiCompatible(EngineOptions(parameters=parameters)))
    yield engine
    engine.close()


def lines(outcome: Translation | EngineError) -> tuple[TranslatedLine, ...]:
    assert isinstance(outcome, Translation), outcome
    return outcome.lines


@pytest.mark.models
@pytest.mark.timeout(900)
def test_the_model_behind_the_server_translates_right(engine: Running) -> None:
    (outcome,) = engine.run([PLAIN])
    assert lines(outcome) == (
        TranslatedLine("u0", TRANSLATIONS[SOURCES[0]]),
        TranslatedLine("u1", TRANSLATIONS[SOURCES[1]]),
    )


@pytest.mark.models
@pytest.mark.timeout(900)
def test_its_mistake_is_asked_again(engine: Running) -> None:
    (outcome,) = engine.run([ERRING])
    assert [line.text for line in lines(outcome)] == [TRANSLATIONS[SOURCES[3]], TRANSLATIONS[SOURCES[4]]]


@pytest.mark.models
@pytest.mark.timeout(900)
def test_the_script_is_read_first_and_a_tight_line_has_a_shorter_variant(engine: Running) -> None:
    (outcome,) = engine.run([READ])
    assert lines(outcome) == (TranslatedLine("u0", TRANSLATIONS[SOURCES[2]], concise=SHORT),)


@pytest.mark.models
@pytest.mark.timeout(900)
def test_passages_asked_together_are_what_each_is_alone(engine: Running) -> None:
    together = engine.run([PLAIN, ERRING, READ])
    assert list(together) == [engine.run([request])[0] for request in (PLAIN, ERRING, READ)]


@pytest.mark.parametrize(
    "parameters", [{}, {"url": "http://127.0.0.1:1/v1"}, {"model": "m"}, {"url": "ftp://x/v1", "model": "m"}]
)
def test_it_says_what_it_needs_to_know(parameters: dict[str, str]) -> None:
    with pytest.raises(EngineError, match="DUBFLOW_ENGINE_PARAMETERS") as told:
        OpenAiCompatible(EngineOptions(parameters=parameters)).check()
    assert told.value.code == "invalid_request"


def test_where_the_server_stands_and_its_key_decide_no_result() -> None:
    here = {"url": "http://127.0.0.1:1/v1", "model": "m", "key": "one"}
    there = {"url": "http://127.0.0.1:2/v1", "model": "m", "key": "two"}
    one, other = (OpenAiCompatible(EngineOptions(parameters=parameters)).info for parameters in (here, there))
    assert one.identity == other.identity
    assert "one" not in repr(one)
    hotter = OpenAiCompatible(EngineOptions(parameters={**here, "extra": '{"top_p": 0.5}'})).info
    assert hotter.identity != one.identity


def test_more_that_is_no_json_is_refused() -> None:
    with pytest.raises(EngineError, match="extra"):
        OpenAiCompatible(EngineOptions(parameters={"extra": "[1]"}))


def test_it_offers_the_languages_that_it_is_told() -> None:
    told = OpenAiCompatible(EngineOptions(parameters={"languages": "en, es"})).pairs()
    assert told == {("en", "es"), ("es", "en")}
    assert ("en", "uk") in OpenAiCompatible(EngineOptions()).pairs()
