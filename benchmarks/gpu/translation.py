"""Translation: a language model with 8 billion weights answers passages, prompts and answers of an hour's lengths.

With vLLM where it is installed (`load_format="dummy"`), else in plain PyTorch with caches of a fixed size and the step
as one CUDA graph, all rows of a batch equally long.

Example:
    python -m benchmarks.gpu.translation --json translation.json
    python -m benchmarks.gpu.translation --device cpu --tiny
"""

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, has, require, run

BATCHES = (16, 64, 128)
PROMPT = hour.PROMPT_TOKENS * hour.PASSAGE_LINES // hour.LINES
ANSWER = hour.ANSWER_TOKENS * hour.PASSAGE_LINES // hour.LINES
AUDIO = hour.LINE_SECONDS * hour.PASSAGE_LINES


class _Translation:
    name = "translation"
    engine = "translation.vllm"
    hour = hour.SPEECH_SECONDS


class PlainTranslation(_Translation):
    """A batch after the other."""

    library = "torch"

    def __init__(self, settings: Settings) -> None:
        from benchmarks.gpu.language_model import QWEN_8B, TOY, LanguageModel, Writer

        shape = TOY if settings.tiny else QWEN_8B
        self._prompt, self._answer = (24, 4) if settings.tiny else (PROMPT, ANSWER)
        self._device = settings.device
        self._model = LanguageModel.made(shape, settings.device, settings.torch_dtype)
        self._new_writer = Writer
        self._writer: tuple[int, Any] = (0, None)

    def step(self, batch: int) -> float:
        """Passages at once."""
        import torch

        if self._writer[0] != batch:
            self._writer = (0, None)  # the caches of two would not fit
            self._writer = (batch, self._new_writer(self._model, batch, self._prompt, self._answer))
        words = self._model.shape.words
        prompts = torch.randint(words, (batch, self._prompt), device=self._device)
        self._writer[1].write(prompts)
        return batch * AUDIO


class VllmTranslation(_Translation):
    """Passages in the engine as dubflow starts it."""

    library = "vllm"

    def __init__(self, settings: Settings) -> None:
        from vllm import LLM, SamplingParams

        from actors.translation.vllm_model import engine_arguments

        self._folder = tempfile.TemporaryDirectory()
        (Path(self._folder.name) / "config.json").write_text(json.dumps(_CONFIG))
        asked = engine_arguments(
            Path(self._folder.name), min(0.9, settings.share), dtype=settings.dtype, load_format="dummy"
        )
        self._engine: Any = LLM(skip_tokenizer_init=True, **asked)
        self._sampling = SamplingParams(
            temperature=0.0, max_tokens=ANSWER, min_tokens=ANSWER, ignore_eos=True, detokenize=False
        )

    def step(self, batch: int) -> float:
        """Passages at once."""
        import torch

        prompts = torch.randint(1000, 100_000, (batch, PROMPT)).tolist()
        asked = [{"prompt_token_ids": prompt} for prompt in prompts]
        self._engine.generate(asked, self._sampling, use_tqdm=False)
        return batch * AUDIO


_CONFIG = {
    "architectures": ["Qwen3ForCausalLM"],
    "model_type": "qwen3",
    "hidden_size": 4096,
    "intermediate_size": 12_288,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "vocab_size": 151_936,
    "max_position_embeddings": 40_960,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1_000_000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def build(settings: Settings) -> Stage:
    """The stage, with vLLM where that is there."""
    if settings.library == "vllm" or (not settings.library and settings.device == "cuda" and has("vllm")):
        require("vllm", "bring its wheels, or use --library torch; see benchmarks/gpu/README.md")
        return VllmTranslation(settings)
    return PlainTranslation(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(
        build, arguments(__doc__, given, batches=BATCHES, dtypes=("bfloat16", "float16"), libraries=("torch", "vllm"))
    )


if __name__ == "__main__":
    sys.exit(main())
