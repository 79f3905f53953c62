"""What each embedded engine costs: CPU seconds a second of audio, on one core.

The conversation of the tests is heard; the sentences of the public speech are translated and spoken. Apertium works in
processes of its own, which are counted.

Example:
    python -m benchmarks.engines --json benchmarks/results/engines.json
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from actors.contracts.audio import Span
from actors.contracts.diarization import DiarizationRequest
from actors.contracts.speech import SpeechRequest
from actors.contracts.transcription import TranscriptionRequest
from actors.contracts.translation import Line, TranslationRequest
from actors.contracts.voices import VoiceSample
from benchmarks.keeping import keep
from cluster.placement import plan_on_cpus
from dataflow import engines
from tests.fixtures.speech import JFK_TEXT, recording, reference_turns

PLAN = plan_on_cpus(
    "lite",
    {
        "speech_activity": "silero",
        "diarization": "acoustic",
        "transcription": "pocketsphinx",
        "translation": "apertium",
        "speech": "espeak",
        "voice_analysis": "pitch",
    },
    cpus=1,
)
SPANISH = (
    "Y así, mis compañeros americanos, no preguntéis qué puede hacer vuestro país por vosotros, "
    "preguntad qué podéis hacer vosotros por vuestro país."
)


@dataclass(frozen=True, slots=True)
class Row:
    """CPU seconds for so many seconds of audio, and their ratio."""

    engine: str
    audio_seconds: float
    cpu_seconds: float
    ratio: float


def cpu_seconds() -> float:
    """Of this process and its children, those that are over included."""
    total = 0.0
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        times = process.cpu_times()
        total += times.user + times.system + times.children_user + times.children_system
    return total


def measure(name: str, audio_seconds: float, work: Callable[[], object], runs: int) -> Row:
    work()  # the first call loads what later ones find
    before = cpu_seconds()
    for _ in range(runs):
        work()
    spent = cpu_seconds() - before
    heard = audio_seconds * runs
    return Row(name, heard, spent, spent / heard)


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same time as disjoint spans."""
    found: list[Span] = []
    for span in spans:
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        else:
            found.append(span)
    return tuple(found)


def rows() -> list[Row]:
    clip = recording("two_speakers")
    speech = joined(sorted({turn for turn, _ in reference_turns("two_speakers")}))
    activity, diarizer, transcriber = engines.speech_activity(PLAN), engines.diarizer(PLAN), engines.transcriber(PLAN)
    analyser, translator, synthesizer = (
        engines.voice_analyser(PLAN),
        engines.translator(PLAN),
        engines.speakers(PLAN).of("es"),
    )
    for engine in (activity, diarizer, transcriber, analyser, translator, synthesizer):
        engine.load()
    voice = synthesizer.voices("es")[0].id
    heard = VoiceSample(tuple(clip.cut(span) for span in speech))
    line = TranslationRequest("en", "es", (Line("u1", "S1", JFK_TEXT, 10.0),))
    said = SpeechRequest(SPANISH, "es", voice)
    (spoken,) = synthesizer.run([said])
    if isinstance(spoken, Exception):
        raise spoken
    heard_seconds = sum(span.seconds for span in speech)
    return [
        measure("silero", clip.seconds, lambda: activity.stream().push(clip.samples), 10),
        measure("acoustic", clip.seconds, lambda: diarizer.run([DiarizationRequest(clip, speech)]), 5),
        measure("pocketsphinx", heard_seconds, lambda: transcriber.run([TranscriptionRequest(clip, speech)]), 1),
        measure("pitch", heard_seconds, lambda: analyser.run([heard]), 3),
        measure("apertium", 10.0, lambda: translator.run([line]), 20),
        measure("espeak", spoken.seconds, lambda: synthesizer.run([said]), 20),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    arguments = parser.parse_args()
    found = rows()
    print(f"{'engine':14} {'audio s':>9} {'CPU s':>8} {'CPU s / s':>10}")
    for row in found:
        print(f"{row.engine:14} {row.audio_seconds:9.1f} {row.cpu_seconds:8.2f} {row.ratio:10.4f}")
    keep(found, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
