"""PocketSphinx 5 with the English model that ships in its package."""

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from actors.contracts.audio import ANALYSIS_RATE, Clip
from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.transcription import Transcription, TranscriptionRequest, Word
from actors.languages import primary
from actors.transcription.chunks import ChunkRules, chunks
from actors.transcription.writing import write_english

_ENGLISH = "en"
_FRAME_SECONDS = 0.01
_SHORTEST_SECONDS = 0.1
"""Less holds no word, and the decoder needs some frames to start with."""

_SEARCH = {"maxhmmpf": 6000, "maxwpf": 10, "wip": 1.0}
"""Where the decoder gets quicker without getting worse. CPU seconds a second of speech, and the mean word error rate of
a public speech, read sentences and a telephone conversation: the library's defaults 0.29 and 44 %, these 0.23 and 44 %;
a third fewer hypotheses (4000) 0.20 and 50 %; no second pass 0.17 and 52 %; half the frames or Gaussians 0.25 and 54 %.
"""

_CHUNKS = ChunkRules()


class PocketSphinx:
    """Recognises English word by word. It is a draft: a third of the words or more are wrong in spontaneous speech."""

    def __init__(self, options: EngineOptions) -> None:
        del options  # There is one model, and it runs on one thread.
        self._decoder: Any = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return EngineInfo(
            name="pocketsphinx",
            capability=Capability.TRANSCRIPTION,
            version="1",
            model=f"en-us@pocketsphinx-{version('pocketsphinx')}",
            licence="BSD-2-Clause",
        )

    def languages(self) -> frozenset[str]:
        """English only."""
        return frozenset({_ENGLISH})

    def check(self) -> None:
        """Tell whether the model is there.

        Raises:
            EngineError: `model_missing`.
        """
        spec = find_spec("pocketsphinx")
        places = (spec and spec.submodule_search_locations) or ["pocketsphinx"]
        folder = Path(places[0]) / "model" / "en-us"
        if not (folder / "en-us.lm.bin").is_file():
            raise EngineError(
                f"the English model of PocketSphinx is missing ({folder}); run: pip install --force-reinstall "
                "pocketsphinx",
                code="model_missing",
            )

    def load(self) -> None:
        """Load the models, which takes about 0.3 s and 100 MB.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        import pocketsphinx

        try:
            self._decoder = pocketsphinx.Decoder(loglevel="FATAL", **_SEARCH)
        except (RuntimeError, ValueError) as error:
            raise EngineError(
                f"PocketSphinx could not load its English model: {error}; reinstall pocketsphinx",
                code="model_load_failed",
            ) from error

    def run(self, batch: Sequence[TranscriptionRequest]) -> Sequence[Transcription | EngineError]:
        """Transcribe scenes one after the other."""
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Free the models."""
        self._decoder = None

    def _serve(self, request: TranscriptionRequest) -> Transcription | EngineError:
        if request.language is not None and primary(request.language) != _ENGLISH:
            return EngineError(
                f"PocketSphinx understands English only, not {request.language}; choose another transcription engine",
                code="unsupported_language",
            )
        try:
            heard = [
                word
                for chunk in chunks(request.clip, request.speech, _CHUNKS)
                for word in self._words(request.clip.cut(chunk))
            ]
        except EngineError as error:
            return error
        except RuntimeError as error:
            return EngineError(f"PocketSphinx failed on a scene: {error}")
        words = write_english(heard, request.terms)
        return Transcription(words, request.language or (_ENGLISH if words else None), _certainty(request, words))

    def _words(self, clip: Clip) -> Iterator[Word]:
        if clip.seconds < _SHORTEST_SECONDS:
            return
        decoder = self._decoder
        decoder.reinit_feat()  # Else noise and channel estimates of what came before change the result.
        decoder.start_utt()
        decoder.process_raw(_pcm(clip), full_utt=True)
        decoder.end_utt()
        for segment in decoder.seg() if decoder.hyp() else ():
            if _is_word(segment.word):
                yield Word(
                    text=segment.word.partition("(")[0],
                    start=clip.start + segment.start_frame * _FRAME_SECONDS,
                    end=clip.start + min(clip.seconds, (segment.end_frame + 1) * _FRAME_SECONDS),
                    probability=min(1.0, max(0.0, segment.prob)),
                )


def _pcm(clip: Clip) -> bytes:
    if clip.rate != ANALYSIS_RATE:
        raise EngineError(f"transcription needs audio at {ANALYSIS_RATE} Hz, not {clip.rate}", code="invalid_request")
    return (np.clip(clip.samples, -1.0, 1.0) * np.float32(32767)).astype("<i2").tobytes()


def _is_word(entry: str) -> bool:
    """False for silence, noises and fillers, which the dictionary writes `<sil>`, `[NOISE]` or `++UM++`."""
    return entry[0] not in "<[+"


def _certainty(request: TranscriptionRequest, words: Sequence[Word]) -> float:
    """Sure where the language was given; else as sure as the words are, because nothing but English is tried."""
    if request.language is not None:
        return 1.0
    return float(np.mean([word.probability for word in words])) if words else 0.0
