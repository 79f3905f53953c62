"""Transcription: Whisper large-v3-turbo writes down windows of half a minute, each as long a text as people say in it.

With transformers: the encoder, the language of each window, and the likeliest tokens one by one. The weights are random
and would never stop or stop at once, so the length of the texts is given. dubflow itself runs CTranslate2 and follows
five hypotheses; CTranslate2's libraries for CUDA 12 do not come with every machine, see README.md.

Example:
    python -m benchmarks.gpu.transcription --json transcription.json
    python -m benchmarks.gpu.transcription --device cpu --tiny
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, require, run

BATCHES = (1, 16, 32, 64)
WINDOW_SECONDS = 28.0
"""Of speech, as `actors.transcription.whisper` packs it into the half minute that the model hears."""
TOKENS_A_WORD = 1.3
TEXT_TOKENS = round(hour.WORDS / hour.SPEECH_SECONDS * WINDOW_SECONDS * TOKENS_A_WORD)

_TURBO = {
    "vocab_size": 51_866,
    "num_mel_bins": 128,
    "encoder_layers": 32,
    "encoder_attention_heads": 20,
    "encoder_ffn_dim": 5120,
    "decoder_layers": 4,
    "decoder_attention_heads": 20,
    "decoder_ffn_dim": 5120,
    "d_model": 1280,
}
_TOY = {
    "vocab_size": 51_866,
    "num_mel_bins": 80,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 32,
    "d_model": 16,
}
_START = (50_258, 50_259, 50_360, 50_364)
"""Start, a language, to transcribe, without times."""


class Transcription:
    """Windows through the encoder, then token by token through the decoder."""

    name = "transcription"
    engine = "transcription.whisper"
    library = "transformers"
    hour = hour.SPEECH_SECONDS

    def __init__(self, settings: Settings) -> None:
        import torch
        from transformers import WhisperConfig, WhisperForConditionalGeneration

        shape = _TOY if settings.tiny else _TURBO
        self._tokens = 4 if settings.tiny else TEXT_TOKENS
        self._settings = settings
        self._mels = shape["num_mel_bins"]
        config = WhisperConfig(**shape, max_target_positions=448, attn_implementation="sdpa")
        with torch.device(settings.device):
            self._model: Any = WhisperForConditionalGeneration(config).to(settings.torch_dtype).eval()

    def step(self, batch: int) -> float:
        """Windows at once."""
        import torch

        device, dtype = self._settings.device, self._settings.torch_dtype
        with torch.inference_mode():
            heard = self._model.model.encoder(torch.randn(batch, self._mels, 3000, device=device, dtype=dtype))[0]
            first = torch.full((batch, 1), _START[0], device=device)
            self._model(encoder_outputs=(heard,), decoder_input_ids=first)  # which language it is
            tokens, kept = torch.tensor([_START] * batch, device=device), None
            for _ in range(self._tokens):
                said = self._model(
                    encoder_outputs=(heard,), decoder_input_ids=tokens, past_key_values=kept, use_cache=True
                )
                kept = said.past_key_values
                tokens = said.logits[:, -1:].argmax(-1)
        return batch * WINDOW_SECONDS


def build(settings: Settings) -> Stage:
    """The stage."""
    require("transformers", "bring its wheels; see benchmarks/gpu/README.md")
    return Transcription(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(
        build, arguments(__doc__, given, batches=BATCHES, dtypes=("float16", "bfloat16"), libraries=("transformers",))
    )


if __name__ == "__main__":
    sys.exit(main())
