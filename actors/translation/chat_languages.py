"""Which languages a language model is trusted with."""

from itertools import permutations

from actors.contracts.engine import EngineOptions
from actors.translation.seq2seq_families import WIDELY_SPOKEN


def chat_pairs(options: EngineOptions) -> frozenset[tuple[str, str]]:
    """All pairs of the languages that the parameter `languages` names (`en,es,pt-BR`), else of the widely spoken."""
    named = options.parameters.get("languages", "")
    languages = sorted({tag.strip() for tag in named.split(",") if tag.strip()} or WIDELY_SPOKEN)
    return frozenset(permutations(languages, 2))
