"""Translation word by word."""

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.translation import Line, TranslatedLine, Translation, TranslationRequest
from actors.languages import lookup

_WORD = re.compile(r"\w+")


class WordList:
    """Replaces the words that it knows, and says where it knew none.

    Parameters: `words` (a file: word, tab, translation), `pair` (as in `en-es`).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._file = Path(options.parameters.get("words", "words.tsv"))
        self._source, _, self._target = options.parameters.get("pair", "en-es").partition("-")
        self._words: Mapping[str, str] = {}

    @property
    def info(self) -> EngineInfo:
        """Who the engine is; another list makes another model, so nothing made with the old one is reused."""
        known = self._file.read_bytes() if self._file.is_file() else b""
        return EngineInfo(
            name="wordlist",
            capability=Capability.TRANSLATION,
            version="1",
            model=f"{self._source}-{self._target}@{blake2b(known, digest_size=6).hexdigest()}",
            licence="Apache-2.0",
        )

    def check(self) -> None:
        """Tell whether the list is there.

        Raises:
            EngineError: `model_missing`.
        """
        if not self._file.is_file():
            raise EngineError(
                f"there is no word list {self._file}; name one as the parameter words of translation.wordlist",
                code="model_missing",
            )

    def load(self) -> None:
        """Read the list.

        Raises:
            EngineError: `model_missing`, or `model_load_failed` for a file that is no list.
        """
        self.check()
        lines = self._file.read_text(encoding="utf-8").splitlines()
        pairs = [line.split("\t") for line in lines if line.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise EngineError(
                f"{self._file} is no word list; write a word, a tab and its translation on each line",
                code="model_load_failed",
            )
        self._words = {word.strip().lower(): translation.strip() for word, translation in pairs}

    def pairs(self) -> frozenset[tuple[str, str]]:
        """The one pair."""
        return frozenset({(self._source, self._target)})

    def run(self, batch: Sequence[TranslationRequest]) -> Sequence[Translation | EngineError]:
        """Translate passages; a request for another pair costs itself only."""
        return [self._serve(request) for request in batch]

    def close(self) -> None:
        """Forget the words."""
        self._words = {}

    def _serve(self, request: TranslationRequest) -> Translation | EngineError:
        if not (lookup(request.source_language, {self._source}) and lookup(request.target_language, {self._target})):
            return EngineError(
                f"the word list is for {self._source} to {self._target}, not {request.source_language} to "
                f"{request.target_language}",
                code="unsupported_language",
            )
        return Translation(tuple(self._translated(line) for line in request.lines))

    def _translated(self, line: Line) -> TranslatedLine:
        unknown = [word for word in _WORD.findall(line.text) if word.lower() not in self._words]
        text = _WORD.sub(lambda found: self._words.get(found.group().lower(), found.group()), line.text)
        return TranslatedLine(line.id, text, flags=("unknown_words",) if unknown else ())
