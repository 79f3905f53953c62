"""A language model on this node's own GPU, by vLLM."""

import asyncio
import json

from actors.contracts.engine import Capability, EngineError, EngineInfo, EngineOptions
from actors.contracts.models import ModelSpec
from actors.contracts.translation import Translation, TranslationRequest
from actors.models import chosen_model, info_of, require_files, require_package
from actors.translation.chat_languages import chat_pairs
from actors.translation.chat_translator import ChatTranslator
from actors.translation.fallback import Fallback
from actors.translation.vllm_model import SEQUENCES, VllmModel, engine_arguments

QWEN = ModelSpec(name="qwen3-8b-fp8", source="Qwen/Qwen3-8B-FP8", revision="main", licence="Apache-2.0", gigabytes=9.5)
VERSION = "1"


class Vllm:
    """Translates passages in one engine, which batches all that are on their way.

    Parameters: `model` (a folder or a repository of weights), `engine` (JSON: more arguments of vLLM's engine, such as
    `{"quantization": "fp8"}`), `languages`, `fallback` (an engine's name, or `none`).
    """

    def __init__(self, options: EngineOptions) -> None:
        self._options = options
        self._spec = chosen_model(options, QWEN)
        self._more = _object(options.parameters.get("engine", "{}"))
        self._fallback = Fallback(options.parameters.get("fallback", "apertium"), options)
        self._model: VllmModel | None = None
        self._translator: ChatTranslator | None = None
        self._restarting = asyncio.Lock()

    @property
    def info(self) -> EngineInfo:
        """Who the engine is."""
        more = json.dumps(self._more, sort_keys=True) if self._more else ""
        return info_of("vllm", Capability.TRANSLATION, f"{VERSION}{more}", self._spec)

    def check(self) -> None:
        """Tell whether the weights, the library and a GPU's pool are there.

        Raises:
            EngineError: `model_missing`; `model_load_failed` where the pool has no GPU.
        """
        require_package("vllm", "gpu", "translation.vllm")
        folder = self._spec.folder(self._options.models)
        require_files(folder, ("config.json", "tokenizer_config.json"), Capability.TRANSLATION, "vllm", self._spec)
        if self._options.device != "cuda":
            raise EngineError(
                "translation.vllm needs a GPU; choose translation.ctranslate2 or translation.openai here",
                code="model_load_failed",
            )

    def load(self) -> None:
        """Start the engine; takes a minute or more.

        Raises:
            EngineError: `model_missing` or `model_load_failed`.
        """
        self.check()
        arguments = engine_arguments(self._spec.folder(self._options.models), self._options.gpu_share, **self._more)
        try:
            self._model = VllmModel.start(arguments)
        except (RuntimeError, ValueError, OSError) as error:
            raise EngineError(
                f"vLLM could not start with {self._spec.name}: {error}; give the pool more of the GPU or choose a "
                "smaller model",
                code="model_load_failed",
            ) from error
        self._translator = ChatTranslator(self._model, self._fallback)

    def pairs(self) -> frozenset[tuple[str, str]]:
        """What the model is trusted with."""
        return chat_pairs(self._options)

    @property
    def at_once(self) -> int:
        """How many passages are in the engine at most; its scheduler makes of them what fits into its cache."""
        chosen = self._more.get("max_num_seqs", SEQUENCES)
        return chosen if isinstance(chosen, int) else SEQUENCES

    async def answer(self, request: TranslationRequest) -> Translation:
        """Translate a passage; an engine that died is started again first.

        Raises:
            EngineError: The engine cannot answer, or gave nothing that can be used.
        """
        async with self._restarting:
            if self._model is not None and self._model.dead:
                await self._end()
                await asyncio.to_thread(self.load)
        if self._translator is None:
            raise EngineError("load the translation engine before it is used", code="model_load_failed")
        return await self._translator.translate(request)

    async def close(self) -> None:
        """End the engine's process."""
        await self._end()
        await asyncio.to_thread(self._fallback.close)

    async def _end(self) -> None:
        if self._model is not None:
            await self._model.close()
        self._translator = self._model = None


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise EngineError("the parameter engine of translation.vllm is no JSON object", code="invalid_request")
    return found
