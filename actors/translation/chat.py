"""What a translator wants of a language model, whoever runs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Chat:
    """One question.

    Attributes:
        system: The instructions, the same for all questions of a kind: a model that keeps prefixes reads them once.
        user: The material, as JSON: nothing in it can look like an instruction of ours.
        schema: JSON Schema of the answer.
        tokens: The most that the answer may take.
        temperature: 0 for the likeliest answer; more for another try.
    """

    system: str
    user: str
    schema: Mapping[str, Any]
    tokens: int
    temperature: float = 0.0

    @property
    def messages(self) -> list[dict[str, str]]:
        """As chat templates and servers want it."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.user}]


class ChatModel(Protocol):
    """Answers questions, many at a time."""

    async def answer(self, chat: Chat) -> str:
        """The text of the answer.

        Raises:
            EngineError: The model cannot answer; `retryable` where it may later on.
        """
        ...
