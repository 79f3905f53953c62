"""How the families of translation models want to be asked: where the languages are said, and in which words."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, Protocol

from langcodes import Language

from actors.languages import primary

WIDELY_SPOKEN = frozenset(
    (  # noqa: SIM905 - eighty quoted tags read worse
        "af am ar az be bg bn bs ca cs cy da de el en es et eu fa fi fr ga gl gu he hi hr hu hy id is it ja jv ka kk "
        "km kn ko lo lt lv mk ml mn mr ms mt my nb ne nl pa pl pt ro ru si sk sl so sq sr sv sw ta te tg th tl tr uk "
        "ur uz vi yo zh zu"
    ).split()
)
"""What the models with hundreds of languages translate well enough to be offered."""


class Family(Protocol):
    """One way of asking."""

    files: tuple[str, ...]

    def pairs(self) -> frozenset[tuple[str, str]]:
        """(source, target), BCP-47."""
        ...

    def load(self, folder: Path) -> None:
        """Open the tokenizers."""
        ...

    def ask(self, text: str, source: str, target: str) -> tuple[list[str], list[str] | None]:
        """The source's tokens, and what the translation has to begin with."""
        ...

    def read(self, tokens: Sequence[str], prefix: Sequence[str] | None) -> str:
        """The translation's text."""
        ...


@dataclass
class Opus:
    """OPUS-MT (Marian): one pair a model, or several targets told apart by a word before the text such as `>>spa<<`."""

    source: str
    target: str
    label: str = ""
    files: tuple[str, ...] = ("model.bin", "source.spm", "target.spm")
    _reader: Any = None
    _writer: Any = None

    def pairs(self) -> frozenset[tuple[str, str]]:
        """The one pair."""
        return frozenset({(self.source, self.target)})

    def load(self, folder: Path) -> None:
        """Open both tokenizers."""
        self._reader, self._writer = _pieces(folder / "source.spm"), _pieces(folder / "target.spm")

    def ask(self, text: str, source: str, target: str) -> tuple[list[str], list[str] | None]:
        """The text, and an end: the model was never shown a source without one."""
        del source, target
        label = [self.label] if self.label else []
        return [*label, *self._reader.encode(text, out_type=str), "</s>"], None

    def read(self, tokens: Sequence[str], prefix: Sequence[str] | None) -> str:
        """The text."""
        del prefix
        text: str = self._writer.decode(list(tokens))
        return text


@dataclass
class Madlad:
    """MADLAD-400 (T5): the target is said before the text, the source is understood."""

    files: tuple[str, ...] = ("model.bin", "spiece.model")
    _tokenizer: Any = None

    def pairs(self) -> frozenset[tuple[str, str]]:
        """All between widely spoken languages."""
        return _all_pairs()

    def load(self, folder: Path) -> None:
        """Open the tokenizer."""
        self._tokenizer = _pieces(folder / "spiece.model")

    def ask(self, text: str, source: str, target: str) -> tuple[list[str], list[str] | None]:
        """`<2es>` and the text."""
        del source
        code = {"nb": "no", "tl": "fil"}.get(primary(target), primary(target))
        return [*self._tokenizer.encode(f"<2{code}> {text}", out_type=str), "</s>"], None

    def read(self, tokens: Sequence[str], prefix: Sequence[str] | None) -> str:
        """The text."""
        del prefix
        text: str = self._tokenizer.decode(list(tokens))
        return text


@dataclass
class Nllb:
    """NLLB (M2M100): both languages are said, as in `eng_Latn`; the target as the translation's first word."""

    files: tuple[str, ...] = ("model.bin", "sentencepiece.bpe.model")
    _tokenizer: Any = None

    def pairs(self) -> frozenset[tuple[str, str]]:
        """All between widely spoken languages."""
        return _all_pairs()

    def load(self, folder: Path) -> None:
        """Open the tokenizer."""
        self._tokenizer = _pieces(folder / "sentencepiece.bpe.model")

    def ask(self, text: str, source: str, target: str) -> tuple[list[str], list[str] | None]:
        """The source's label, the text, an end; and the target's label."""
        return [flores(source), *self._tokenizer.encode(text, out_type=str), "</s>"], [flores(target)]

    def read(self, tokens: Sequence[str], prefix: Sequence[str] | None) -> str:
        """The text behind the label."""
        text: str = self._tokenizer.decode(list(tokens[len(prefix or ()) :]))
        return text


def flores(language: str) -> str:
    """A language as FLORES-200 names it: `spa_Latn`."""
    tag = Language.get(language).maximize()
    # Where ISO 639-3 has a code for a group of languages, FLORES names the one that it means.
    renamed = {"fas": "pes", "sqi": "als", "lav": "lvs", "msa": "zsm", "swa": "swh", "uzb": "uzn", "aze": "azj"}
    renamed |= {"nor": "nob", "mon": "khk", "ara": "arb", "nep": "npi"}
    code = tag.to_alpha3()
    return f"{renamed.get(code, code)}_{tag.script}"


def _all_pairs() -> frozenset[tuple[str, str]]:
    return frozenset(permutations(WIDELY_SPOKEN, 2))


def _pieces(file: Path) -> Any:
    from sentencepiece import SentencePieceProcessor

    return SentencePieceProcessor(model_file=str(file))
