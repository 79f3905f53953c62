"""Transcription: Whisper large-v3-turbo writes down windows of half a minute, each as long a text as people say in it.

With CTranslate2, which is what dubflow runs, where it can use the device: five hypotheses, within the share that
`ctranslate2_share.py` gives it. Else with transformers, the likeliest tokens one by one. The weights are random and
would never stop or stop at once, so the length of the texts is given.

Example:
    python -m benchmarks.gpu.transcription --json transcription.json
    python -m benchmarks.gpu.transcription --device cpu --tiny
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, has, require, run

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
BEAM = 5
"""Hypotheses, as the engine follows them on a GPU."""
_END = 50_257
_START = (50_258, 50_259, 50_360, 50_364)
"""Start, a language, to transcribe, without times."""


class _Transcription:
    name = "transcription"
    engine = "transcription.whisper"
    hour = hour.SPEECH_SECONDS


class TransformersTranscription(_Transcription):
    """Windows through the encoder, then token by token through the decoder."""

    library = "transformers"

    def __init__(self, settings: Settings) -> None:
        import torch
        from transformers import WhisperConfig, WhisperForConditionalGeneration

        self._tokens = 4 if settings.tiny else TEXT_TOKENS
        self._settings = settings
        config = WhisperConfig(**_shape(settings), max_target_positions=448, attn_implementation="sdpa")
        self._mels = config.num_mel_bins
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


class CTranslate2Transcription(_Transcription):
    """A random model of that shape, converted; its memory is CTranslate2's own, so that no peak is seen of it."""

    library = "ctranslate2"

    def __init__(self, settings: Settings) -> None:
        import ctranslate2

        from actors.contracts.engine import EngineOptions
        from actors.ctranslate2_share import ModelShape, keep_to_share

        self._tokens = 4 if settings.tiny else TEXT_TOKENS
        self._mels = _shape(settings)["num_mel_bins"]
        with tempfile.TemporaryDirectory() as folder:
            _convert(settings, Path(folder))
            if settings.device == "cuda":
                options = EngineOptions(device="cuda", gpu_share=settings.share)
                keep_to_share(options, ModelShape.read(Path(folder)), settings.dtype)
            self._model: Any = ctranslate2.models.Whisper(
                folder, device=settings.device, compute_type=settings.dtype, intra_threads=1
            )

    def step(self, batch: int) -> float:
        """Windows at once."""
        import ctranslate2
        import numpy as np

        heard = np.random.default_rng(1).standard_normal((batch, self._mels, 3000), np.float32)
        encoded = self._model.encode(ctranslate2.StorageView.from_array(heard), to_cpu=False)
        self._model.detect_language(encoded)
        self._model.generate(
            encoded,
            [list(_START)] * batch,
            beam_size=BEAM,
            max_length=2 * self._tokens,  # the library halves it: the other half is for what was said before
            suppress_tokens=[_END],
        )
        return batch * WINDOW_SECONDS


def _shape(settings: Settings) -> dict[str, int]:
    return _TOY if settings.tiny else _TURBO


def _convert(settings: Settings, folder: Path) -> None:
    """The library's own conversion, but without a tokenizer: no text is read here."""
    from ctranslate2.converters.transformers import WhisperLoader
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    config = WhisperConfig(**_shape(settings), max_target_positions=448)
    spec = WhisperLoader().get_model_spec(WhisperForConditionalGeneration(config))
    named = {50_257: "endoftext", 50_258: "startoftranscript", 50_363: "nospeech", 50_364: "notimestamps"}
    spec.register_vocabulary([f"<|{named.get(i, i)}|>" if i else "" for i in range(config.vocab_size)])
    spec.config.suppress_ids, spec.config.suppress_ids_begin = [], []
    spec.config.lang_ids = list(range(50_259, 50_359))
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize(quantization=settings.dtype)
    spec.save(str(folder))


def _usable(settings: Settings) -> bool:
    """Whether CTranslate2 is there, with the libraries of its CUDA."""
    if not (has("ctranslate2") and has("transformers")):
        return False
    if settings.device == "cpu":
        return True
    import ctranslate2

    try:
        return settings.dtype in ctranslate2.get_supported_compute_types("cuda")
    except (RuntimeError, ValueError):
        return False


def build(settings: Settings) -> Stage:
    """The stage, with CTranslate2 where that works."""
    if settings.library == "ctranslate2" or (not settings.library and _usable(settings)):
        require("ctranslate2", "bring its wheel, or use --library transformers; see benchmarks/gpu/README.md")
        return CTranslate2Transcription(settings)
    require("transformers", "bring its wheels; see benchmarks/gpu/README.md")
    return TransformersTranscription(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(
        build,
        arguments(
            __doc__, given, batches=BATCHES, dtypes=("float16", "bfloat16"), libraries=("transformers", "ctranslate2")
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
