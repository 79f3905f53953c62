"""What it is worth that requests flow into a language model's server all the time, instead of in batches.

The same rows ask the same server for the same passages, once in batches of which each waits for its slowest answer,
once through the queue of concurrent engines, in turns of one run. The server is on the loopback interface and only
waits: it works on so many questions at a time, and its answers take as long as a language model's might, most of them
briefly and some very long (log-normal, drawn once for both). The limit is what the server could do if no place were
ever empty.

Example:
    python -m benchmarks.continuous --json benchmarks/results/continuous.json
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from actors.contracts.engine import EngineError, EngineInfo, EngineOptions
from actors.contracts.translation import Line, Translation, TranslationRequest
from actors.loop_thread import LoopThread
from actors.translation.openai_compatible import OpenAiCompatible
from benchmarks.keeping import keep
from dataflow.engine_host import EngineHost
from tests.fixtures.language_server import Material, serving

WORDS = {"The river runs slowly to the sea.": "El río corre despacio hacia el mar."}
ROUNDS = 3
MEDIAN_SECONDS = 0.25
SPREADS = (0.3, 0.7, 1.1)
"""Of the logarithm: answers of one length, of a usual mix, and with a heavy tail."""


@dataclass(frozen=True, slots=True)
class Row:
    """Seconds for all passages, medians over rounds; ratios are of the rounds' pairs."""

    spread: float
    slots: int
    passages: int
    batches: float
    continuous: float
    gain: float
    of_the_limit: float


class InBatches:
    """A concurrent engine that is fed in batches: the next one begins when the last answer of one is there."""

    def __init__(self, engine: OpenAiCompatible) -> None:
        self._engine = engine
        self._loop = LoopThread("batches")

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return self._engine.info

    def check(self) -> None:
        """Tell whether it could work."""
        self._engine.check()

    def load(self) -> None:
        """Get ready."""
        self._engine.load()

    def run(self, batch: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        """Ask for all passages of a batch, and wait for the last answer."""
        return self._loop.run(self._all(batch))

    def close(self) -> None:
        """End the thread."""
        self._loop.close()

    async def _all(self, batch: Sequence[TranslationRequest]) -> list[Translation | EngineError]:
        return list(await asyncio.gather(*map(self._engine.answer, batch)))


def host(url: str, slots: int, *, batches: bool) -> EngineHost[TranslationRequest, Translation]:
    parameters = {"url": url, "model": "m", "fallback": "none", "at_once": str(slots)}
    engine = OpenAiCompatible(EngineOptions(parameters=parameters))
    return EngineHost(InBatches(engine) if batches else engine, budget=slots, cost=lambda _request: 1.0)


def passage(number: int) -> TranslationRequest:
    (text,) = WORDS
    return TranslationRequest("en", "es", (Line(f"u{number}", str(number), text, 3.0),))


def seconds(asked: EngineHost[TranslationRequest, Translation], rows: int, passages: int) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(rows) as threads:
        list(threads.map(asked.ask, map(passage, range(passages))))
    return time.perf_counter() - started


def measure(spread: float, slots: int, passages: int) -> Row:
    draw = random.Random(1)  # noqa: S311 - lengths of answers
    takes = [MEDIAN_SECONDS * draw.lognormvariate(0, spread) for _ in range(passages)]

    async def work(material: Material) -> None:
        await asyncio.sleep(takes[int(material["lines"][0]["speaker"])])

    with serving(WORDS, work, slots=slots) as server:
        hosts = {batches: host(server.url, slots, batches=batches) for batches in (True, False)}
        for one in hosts.values():
            one.ask(passage(0))  # the first call loads what later ones find
        pairs = [
            (seconds(hosts[True], 2 * slots, passages), seconds(hosts[False], 2 * slots, passages))
            for _ in range(ROUNDS)
        ]
    limit = sum(takes) / slots
    return Row(
        spread,
        slots,
        passages,
        statistics.median(batched for batched, _ in pairs),
        statistics.median(flowing for _, flowing in pairs),
        statistics.median(batched / flowing for batched, flowing in pairs),
        statistics.median(limit / flowing for _, flowing in pairs),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--slots", type=int, default=16, help="questions that the server works on at a time")
    parser.add_argument("--passages", type=int, default=240)
    arguments = parser.parse_args()
    found = [measure(spread, arguments.slots, arguments.passages) for spread in SPREADS]
    print(f"{'spread':>6} {'batches s':>10} {'continuous s':>13} {'gain':>6} {'of the limit':>13}")
    for row in found:
        print(f"{row.spread:6} {row.batches:10.2f} {row.continuous:13.2f} {row.gain:6.2f} {row.of_the_limit:13.2f}")
    keep(found, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
