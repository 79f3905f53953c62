"""Whisper over CTranslate2, a batch of windows at a time: features, languages, texts and the times of words.

`faster_whisper`'s own pipelines take one recording; this uses the layer below them, so that a batch holds windows of
any recordings. A window's outcome does not depend on the company that it is in.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from actors.contracts.audio import Samples, Span
from actors.contracts.transcription import Word
from actors.transcription.guards import GuardRules, Verdict, judge

MOST_TOKENS = 224
"""Half a minute of speech has fewer; a text that gets there is a loop."""
WINDOW_FRAMES = 1500
"""What the encoder makes of half a minute."""
RETRY_TEMPERATURES = (0.2, 0.6, 1.0)
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001 - full-width punctuation of Chinese and Japanese
_SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A window to decode.

    Attributes:
        samples: Its sound at 16 kHz, half a minute at most.
        hotwords: Words that are likely to occur, as one text.
    """

    samples: Samples
    hotwords: str = ""


@dataclass(frozen=True, slots=True)
class LanguageGuess:
    """Probabilities by Whisper's language codes."""

    probabilities: dict[str, float]

    @property
    def best(self) -> tuple[str, float]:
        """The likeliest language and its probability."""
        return max(self.probabilities.items(), key=lambda one: one[1])


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one window.

    Attributes:
        tokens: As the model wrote them, without special ones.
        text: The same, to read.
        verdict: What to think of it.
        log_probability: Mean over the tokens.
        words: With times in the window; empty where the verdict is bad.
    """

    tokens: tuple[int, ...]
    text: str
    verdict: Verdict
    log_probability: float
    words: tuple[Word, ...] = ()


class WhisperDecoder:
    """One loaded model.

    Args:
        model: `faster_whisper.WhisperModel`.
        batch: Windows that the model is given at once.
        beam: Hypotheses that are followed.
        rules: What counts as invented.
    """

    def __init__(self, model: Any, *, batch: int, beam: int, rules: GuardRules) -> None:
        self._model = model
        self._batch = batch
        self._beam = beam
        self._rules = rules
        self._multilingual = bool(model.model.is_multilingual)
        self._tokenizer = lru_cache(maxsize=None)(self._make_tokenizer)

    def batches(self, windows: Sequence[Heard], languages: Sequence[str | None]) -> Iterator["EncodedBatch"]:
        """Encode windows, a batch at a time; the batches tell languages and texts.

        Args:
            windows: In any order.
            languages: Whisper's code of each window; None where it is to be told from the sound.
        """
        # The start of the text has to be at the same place in all prompts of a batch.
        groups: dict[int, list[int]] = defaultdict(list)
        for i, window in enumerate(windows):
            groups[len(self._prompt(window.hotwords, "en"))].append(i)
        for members in groups.values():
            for first in range(0, len(members), self._batch):
                indices = members[first : first + self._batch]
                yield EncodedBatch(self, indices, [windows[i] for i in indices], [languages[i] for i in indices])

    def encode(self, windows: Sequence[Heard]) -> tuple[Any, list[int]]:
        """The encoder's output, and how many feature frames of each window are sound and no padding."""
        from faster_whisper.audio import pad_or_trim

        features = [self._model.feature_extractor(window.samples)[..., :-1] for window in windows]
        frames = [min(one.shape[-1], 3000) for one in features]
        return self._model.encode(np.stack([pad_or_trim(one) for one in features]).astype(np.float32)), frames

    def guess_languages(self, encoded: Any, count: int) -> list[LanguageGuess]:
        """Which language each window is in."""
        if not self._multilingual:
            return [LanguageGuess({"en": 1.0})] * count
        found = self._model.model.detect_language(encoded)
        return [LanguageGuess({token[2:-2]: float(p) for token, p in one}) for one in found]

    def write(self, encoded: Any, windows: Sequence[Heard], languages: Sequence[str]) -> list[Decoded]:
        """The text of each window; what looks invented is written once more, with some chance."""
        prompts = [self._prompt(window.hotwords, language) for window, language in zip(windows, languages, strict=True)]
        texts = self._generate(encoded, prompts, beam_size=self._beam)
        return [
            self._retried(_part(encoded, [i], len(texts)), prompts[i], text)
            if text.verdict in {Verdict.LOOPING, Verdict.GUESSED}
            else text
            for i, text in enumerate(texts)
        ]

    def align(self, encoded: Any, texts: list[Decoded], languages: Sequence[str], frames: list[int]) -> list[Decoded]:
        """The same texts with their words; the model aligns one language at a time."""
        aligned = list(texts)
        for language in dict.fromkeys(languages):
            members = [i for i, one in enumerate(texts) if languages[i] == language and one.tokens]
            if not members:
                continue
            found = self._model.find_alignment(
                self._tokenizer(language),
                [list(texts[i].tokens) for i in members],
                _part(encoded, members, len(texts)),
                [frames[i] for i in members],
            )
            for i, alignment in zip(members, found, strict=True):
                aligned[i] = replace(texts[i], words=_words(alignment, frames[i] / 100))
        return aligned

    def _retried(self, encoded: Any, prompt: list[int], first: Decoded) -> Decoded:
        """The best of several texts, written at rising temperatures until one is good."""
        import ctranslate2

        tried = [first]
        for temperature in RETRY_TEMPERATURES:
            ctranslate2.set_random_seed(_SEED)  # the same sound gives the same text
            tried += self._generate(encoded, [prompt], beam_size=1, sampling_topk=0, sampling_temperature=temperature)
            if tried[-1].verdict is Verdict.GOOD:
                return tried[-1]
        sound = [one for one in tried if one.verdict is Verdict.GUESSED]
        return max(sound or tried, key=lambda one: one.log_probability)

    def _generate(self, encoded: Any, prompts: list[list[int]], **how: Any) -> list[Decoded]:
        results = self._model.model.generate(
            encoded,
            prompts,
            max_length=2 * MOST_TOKENS,  # the library halves it: the other half is for prompts
            suppress_tokens=list(self._suppressed()),
            return_scores=True,
            return_no_speech_prob=True,
            **how,
        )
        return [self._judged(result) for result in results]

    def _judged(self, result: Any) -> Decoded:
        tokenizer = self._tokenizer("en")
        tokens = tuple(token for token in result.sequences_ids[0] if token < tokenizer.eot)
        count = len(result.sequences_ids[0])
        log_probability = float(result.scores[0]) * count / (count + 1)
        text = tokenizer.decode(list(tokens)).strip()
        verdict = judge(text, log_probability, float(result.no_speech_prob), self._rules)
        return Decoded(tokens, text, verdict, log_probability)

    def _prompt(self, hotwords: str, language: str) -> list[int]:
        prompt: list[int] = self._model.get_prompt(
            self._tokenizer(language), previous_tokens=[], without_timestamps=True, hotwords=hotwords or None
        )
        return prompt

    def _suppressed(self) -> tuple[int, ...]:
        from faster_whisper.transcribe import get_suppressed_tokens

        suppressed: tuple[int, ...] = get_suppressed_tokens(self._tokenizer("en"), [-1])
        return suppressed

    def _make_tokenizer(self, language: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        return Tokenizer(self._model.hf_tokenizer, self._multilingual, task="transcribe", language=language)


class EncodedBatch:
    """Windows that the encoder has heard together.

    Attributes:
        indices: Where they stand among all windows that were to be decoded.
        guesses: In which languages they are.
    """

    def __init__(
        self, decoder: WhisperDecoder, indices: list[int], windows: list[Heard], languages: list[str | None]
    ) -> None:
        self._decoder = decoder
        self._windows = windows
        self.indices = indices
        self._encoded, self._frames = decoder.encode(windows)
        self.guesses = (
            [LanguageGuess({language: 1.0}) for language in languages if language]
            if all(languages)
            else decoder.guess_languages(self._encoded, len(windows))
        )

    def write(self, languages: Sequence[str]) -> list[Decoded]:
        """The texts with their words, in these languages."""
        texts = self._decoder.write(self._encoded, self._windows, languages)
        return self._decoder.align(self._encoded, texts, languages, self._frames)


def _part(encoded: Any, members: Sequence[int], count: int) -> Any:
    """The encoder's output for some windows; rare enough that a way over the host's memory does not count."""
    if len(members) == count:
        return encoded
    import ctranslate2

    host = np.array(encoded.to_device(ctranslate2.Device.cpu))
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(host[list(members)]))


def _words(alignment: list[dict[str, Any]], seconds: float) -> tuple[Word, ...]:
    from faster_whisper.transcribe import merge_punctuations

    merge_punctuations(alignment, _PREPENDED, _APPENDED)
    return tuple(
        Word(one["word"].strip(), span.start, span.end, min(1.0, max(0.0, float(one["probability"]))))
        for one in alignment
        if one["word"].strip()
        for span in [_within(float(one["start"]), float(one["end"]), seconds)]
    )


def _within(start: float, end: float, seconds: float) -> Span:
    first = min(start, seconds)
    return Span(first, min(max(end, first), seconds))
