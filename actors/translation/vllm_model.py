"""A language model in this process's own vLLM engine."""

import asyncio
import contextlib
from itertools import count
from pathlib import Path
from typing import Any

from actors.contracts.engine import EngineError
from actors.translation.chat import Chat

CONTEXT_TOKENS = 16_384
BATCHED_TOKENS = 16_384
SEQUENCES = 256
"""vLLM's own defaults for its asynchronous engine are an eighth and a half of these, whatever the GPU."""


def engine_arguments(folder: Path, gpu_share: float, **more: Any) -> dict[str, Any]:
    """What the engine is started with.

    Args:
        folder: The weights and the tokenizer.
        gpu_share: Of the GPU's whole memory; weights, activations and cache have to fit into it.
        more: What somebody chose otherwise.
    """
    return {
        "model": str(folder),
        "max_model_len": CONTEXT_TOKENS,
        "max_num_batched_tokens": BATCHED_TOKENS,
        "max_num_seqs": SEQUENCES,
        "gpu_memory_utilization": gpu_share,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        **more,
    }


def sampling(chat: Chat) -> Any:
    """How one question is answered: the whole text at once, in the form of its schema."""
    from vllm.sampling_params import RequestOutputKind, SamplingParams, StructuredOutputsParams

    return SamplingParams(
        temperature=chat.temperature,
        max_tokens=chat.tokens,
        seed=0,
        output_kind=RequestOutputKind.FINAL_ONLY,
        structured_outputs=StructuredOutputsParams(json=dict(chat.schema), disable_any_whitespace=True),
    )


def prompt_tokens(tokenizer: Any, chat: Chat) -> list[int]:
    """The question in the words of the model's own template, told not to think aloud where it would."""
    tokens: list[int] = tokenizer.apply_chat_template(
        chat.messages, add_generation_prompt=True, tokenize=True, return_dict=False, enable_thinking=False
    )
    return tokens


class VllmModel:
    """Batches whatever questions are on their way.

    Args:
        tokenizer: Of transformers, with a chat template.
        engine: vLLM's `AsyncLLM`.
    """

    def __init__(self, tokenizer: Any, engine: Any) -> None:
        self._tokenizer = tokenizer
        self._engine = engine
        self._numbers = count()

    @classmethod
    def start(cls, arguments: dict[str, Any]) -> "VllmModel":
        """Start the engine's process; takes a minute or more.

        Args:
            arguments: Of `engine_arguments`.
        """
        from transformers import AutoTokenizer
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        tokenizer = AutoTokenizer.from_pretrained(arguments["model"])
        return cls(tokenizer, AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments)))

    async def answer(self, chat: Chat) -> str:
        """The text of the answer.

        Raises:
            EngineError: `engine_failed`, retryable where the engine broke.
        """
        from vllm.inputs import TokensPrompt
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        prompt = TokensPrompt(prompt_token_ids=await asyncio.to_thread(prompt_tokens, self._tokenizer, chat))
        text = ""
        try:
            # Closed also when cancelled: that takes the question out of the engine's batch.
            async with contextlib.aclosing(
                self._engine.generate(prompt, sampling(chat), f"{next(self._numbers)}")
            ) as said:
                async for output in said:
                    text = output.outputs[0].text
        except EngineDeadError as error:
            raise EngineError("the language model's engine has died; it is started again", retryable=True) from error
        except EngineGenerateError as error:
            raise EngineError(f"the language model's engine failed on a passage: {error}", retryable=True) from error
        except ValueError as error:  # such as a passage that exceeds the context
            raise EngineError(f"the language model's engine refused a passage: {error}") from error
        return text

    @property
    def dead(self) -> bool:
        """Whether the engine's process is gone."""
        return bool(self._engine.errored)

    async def close(self) -> None:
        """End the engine's process and free its memory."""
        await asyncio.to_thread(self._engine.shutdown)
