"""Translation models of the sequence-to-sequence kind through CTranslate2: quick on CPUs, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.ctranslate2_share import ModelShape, keep_to_share
from actors.languages import lookup
from actors.models import chosen_model, info_of, loading, require_files, require_package
from actors.translation.seq2seq_families import Family, Madlad, Nllb, Opus

MADLAD = ModelSpec(
    name="madlad400-3b-ct2",
    source="santhosh/madlad400-3b-ct2",
    revision="main",
    licence="Apache-2.0",
    gigabytes=3.0,
)
_BATCH_TOKENS = 2048
"""At most; a share of a GPU may hold fewer."""
_MOST_TOKENS = 256
_WORSE = 0.5
"""How much less probable, as the logarithm's mean over the tokens, a shorter translation may be than the best one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A line on its way through the model."""

    request: int
    line: Line
    tokens: list[str]
    prefix: list[str] | None


class CTranslate2:
    """Translates every line by itself; a batch holds lines of all passages.

    Parameters: `model` (a folder of converted weights, or a repository of them), `family` (`madlad`, `opus` or `nllb`),
    `pair` (of an OPUS-MT model: `en-es`), `label` (of one with several targets: `>>spa<<`), `compute_type` (`int8` on
    CPUs, `float16` on GPUs), `beam`.
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        parameters = options.parameters
        self._spec = chosen_model(options, MADLAD)
        family, pair = parameters.get("family", "madlad"), parameters.get("pair", "")
        self._family = _family(family, pair, parameters.get("label", ""))
        self._compute_type = parameters.get("compute_type", "float16" if options.device == "cuda" else "int8")
        self._beam = int(options.number("beam", 4))
        self._tokens = _BATCH_TOKENS
        self._translator: Any = None

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        return info_of("ctranslate2", Capability.TRANSLATION, f"1/{self._compute_type}/{self._beam}", self._spec)

    def check(self) -> None:
        """Tell whether the weights and the tokenizer's library are there.

        Raises:
            EngineError: `model_missing`.
        """
        require_package("sentencepiece", "cpu", "translation.ctranslate2")
        folder = self._spec.folder(self._options.models)
        require_files(folder, self._family.files, Capability.TRANSLATION, "ctranslate2", self._spec)

    def load(self) -> None:
        """Load the weights.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        folder = self._spec.folder(self._options.models)
        if self._options.device == "cuda":
            with loading(self._spec):
                shape = ModelShape.read(folder)
            room = keep_to_share(self._options, shape, self._compute_type)
            self._tokens = room.holds(shape.token_bytes(self._beam), wanted=_BATCH_TOKENS)
        import ctranslate2

        with loading(self._spec):
            self._family.load(folder)
            self._translator = ctranslate2.Translator(
                str(folder),
                device=self._options.device,
                compute_type=self._compute_type,
                intra_threads=self._options.threads,
            )

    def pairs(self) -> frozenset[tuple[str, str]]:
        """What the family translates."""
        return self._family.pairs()

    def run(self, batch: Sequence[TranslationRequest]) -> Sequence[Translation | EngineError]:
        """Translate passages, the lines of all of them together."""
        refused = {i: error for i, request in enumerate(batch) if (error := self._refusal(request))}
        asked = [
            self._ask(i, line, request) for i, request in enumerate(batch) if i not in refused for line in request.lines
        ]
        lines: dict[int, list[TranslatedLine]] = {i: [] for i in range(len(batch))}
        for one, translated in zip(asked, self._translate(asked), strict=True):
            lines[one.request].append(translated)
        return [refused.get(i) or Translation(tuple(lines[i])) for i in range(len(batch))]

    def close(self) -> None:
        """Free the memory of the weights."""
        if self._translator is not None:
            self._translator.unload_model()
        self._translator = None

    def _refusal(self, request: TranslationRequest) -> EngineError | None:
        pairs = self._family.pairs()
        source = lookup(request.source_language, {one for one, _ in pairs})
        if lookup(request.target_language, {to for one, to in pairs if one == source}) is None:
            return EngineError(
                f"{self._spec.name} cannot translate {request.source_language} to {request.target_language}; choose "
                "another model or engine",
                code="unsupported_language",
            )
        return None

    def _ask(self, request: int, line: Line, whole: TranslationRequest) -> _Asked:
        tokens, prefix = self._family.ask(line.text, whole.source_language, whole.target_language)
        return _Asked(request, line, tokens, prefix)

    def _translate(self, asked: Sequence[_Asked]) -> list[TranslatedLine]:
        if self._translator is None:
            raise EngineError("load the translation engine before it is used", code="model_load_failed")
        if not asked:
            return []
        prefixes = [one.prefix for one in asked] if any(one.prefix for one in asked) else None
        results = self._translator.translate_batch(
            [one.tokens for one in asked],
            target_prefix=prefixes,
            beam_size=self._beam,
            num_hypotheses=self._beam,
            batch_type="tokens",
            max_batch_size=self._tokens,
            max_decoding_length=_MOST_TOKENS,
            return_scores=True,
        )
        return [self._line(one, result) for one, result in zip(asked, results, strict=True)]

    def _line(self, asked: _Asked, result: Any) -> TranslatedLine:
        texts = [self._family.read(tokens, asked.prefix).strip() for tokens in result.hypotheses]
        return TranslatedLine(asked.line.id, texts[0], concise=_shorter(texts, result.scores, asked.line.characters))


def _shorter(texts: Sequence[str], scores: Sequence[float], characters: int) -> str | None:
    """The likeliest text that fits, where the best one does not and the other is not much worse; else the shortest."""
    if not characters or len(texts[0]) <= characters:
        return None
    near = [text for text, score in zip(texts, scores, strict=True) if text and score >= scores[0] - _WORSE]
    best = next((text for text in near if len(text) <= characters), min(near, key=len))
    return best if len(best) < len(texts[0]) else None


def _family(name: str, pair: str, label: str) -> Family:
    source, _, target = pair.partition("-")
    if name == "opus" and not (source and target):
        raise EngineError(
            "say which pair the OPUS-MT model translates: the parameter pair, as in en-es", code="invalid_request"
        )
    families: dict[str, Family] = {"opus": Opus(source, target, label), "madlad": Madlad(), "nllb": Nllb()}
    if name not in families:
        raise EngineError(
            f"there is no family '{name}' of translation models; choose one of: {', '.join(families)}",
            code="invalid_request",
        )
    return families[name]
