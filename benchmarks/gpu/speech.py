"""Speech: XTTS v2 says the lines of an hour, many at once: its GPT, then its vocoder.

With coqui-tts where it is installed: dubflow's own `xtts_decoder.py` and `xtts_vocoder.py` over the library's networks
with random weights, which would never stop, so every line is given the same length. Else both networks in plain
PyTorch, the GPT's step as one CUDA graph: what the same shapes could do.

Example:
    python -m benchmarks.gpu.speech --json speech.json
    python -m benchmarks.gpu.speech --device cpu --tiny
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import MissingLibraryError, Settings, Stage, arguments, has, run

BATCHES = (1, 16, 32, 64)
VOICE_POSITIONS, TEXT_TOKENS, SPEAKER = 32, 40, 512
CODES = 95
"""Of a line of 4.5 s, at 21.5 a second."""


class _Speech:
    name = "speech"
    engine = "speech.xtts"
    hour = hour.SPEECH_SECONDS


class CoquiSpeech(_Speech):
    """dubflow's batches over the library's networks; float32 is what dubflow runs, the halves are mixed precision."""

    library = "coqui-tts"

    def __init__(self, settings: Settings) -> None:
        import torch
        from TTS.tts.layers.xtts.gpt import GPT
        from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder

        from actors.speech.xtts_decoder import Sampling, XttsDecoder
        from actors.speech.xtts_vocoder import XttsVocoder

        self._settings = settings
        self._width = 32 if settings.tiny else 1024
        gpt = GPT(
            layers=2 if settings.tiny else 30,
            model_dim=self._width,
            heads=2 if settings.tiny else 16,
            max_text_tokens=402,
            max_mel_tokens=605,
            max_prompt_tokens=70,
            number_text_tokens=6681,
            num_audio_tokens=1026,
            start_audio_token=1024,
            stop_audio_token=1025,
            use_perceiver_resampler=True,
        )
        gpt.init_gpt_for_inference(kv_cache=True)
        gpt.mel_head.bias.data[gpt.stop_audio_token] = -1e4  # lines end when they are long enough, and not by chance
        vocoder = HifiDecoder(
            decoder_input_dim=self._width, upsample_initial_channel_decoder=32 if settings.tiny else 512
        )
        self._decoder = XttsDecoder(gpt.to(settings.device).eval(), Sampling(0.75, 50, 0.85, 5.0))
        self._vocoder = XttsVocoder(vocoder.to(settings.device).eval(), together=settings.device == "cuda")
        self._voice = torch.randn(1, VOICE_POSITIONS, self._width, device=settings.device)
        self._speaker = torch.randn(1, SPEAKER, 1, device=settings.device)

    def step(self, batch: int) -> float:
        """Lines at once."""
        import torch

        from actors.speech.xtts_decoder import Prompt

        characters = 0 if self._settings.tiny else (CODES - 60) // 5
        tokens = torch.randint(1, 6000, (batch, TEXT_TOKENS)).tolist()
        prompts = [Prompt(tokens[i], characters, self._voice, i) for i in range(batch)]
        with self._precision():
            latents = [one.latents for one in self._decoder.decode(prompts)]
            waves = self._vocoder.speak(latents, [self._speaker] * batch, [1.0] * batch)
        return sum(len(wave) for wave in waves) / 24_000

    @contextlib.contextmanager
    def _precision(self) -> Iterator[None]:
        import torch

        settings = self._settings
        with torch.autocast(settings.device, settings.torch_dtype, enabled=settings.dtype != "float32"):
            yield


class PlainSpeech(_Speech):
    """The same shapes without the library."""

    library = "torch"

    def __init__(self, settings: Settings) -> None:
        import torch

        from benchmarks.gpu.hifigan import HifiGan
        from benchmarks.gpu.language_model import TOY, XTTS_GPT, LanguageModel, Writer

        shape = TOY if settings.tiny else XTTS_GPT
        self._codes = 8 if settings.tiny else CODES
        self._settings = settings
        self._model = LanguageModel.made(shape, settings.device, settings.torch_dtype)
        vocoder: Any = HifiGan(shape.width, 16, SPEAKER) if settings.tiny else HifiGan(shape.width)
        self._vocoder = vocoder.to(settings.device, settings.torch_dtype).eval()
        self._speaker = torch.randn(1, SPEAKER, 1, device=settings.device, dtype=settings.torch_dtype)
        self._new_writer = Writer
        self._writer: tuple[int, Any] = (0, None)

    def step(self, batch: int) -> float:
        """Lines at once."""
        import torch

        length = VOICE_POSITIONS + TEXT_TOKENS + 2
        if self._writer[0] != batch:
            self._writer = (0, None)
            self._writer = (batch, self._new_writer(self._model, batch, length, self._codes))
        prompts = torch.randint(self._model.shape.words, (batch, length), device=self._settings.device)
        with torch.inference_mode():
            states = self._writer[1].write(prompts)
            waves = self._vocoder(states, self._speaker.expand(batch, -1, -1)).float().cpu()
        return batch * waves.shape[1] / 24_000


def build(settings: Settings) -> Stage:
    """The stage, with the library where it is there."""
    if settings.library == "coqui-tts" and not has("TTS"):
        raise MissingLibraryError(
            "coqui-tts cannot be imported; bring its wheels, or use --library torch; see benchmarks/gpu/README.md"
        )
    if settings.library == "coqui-tts" or (not settings.library and has("TTS")):
        return CoquiSpeech(settings)
    return PlainSpeech(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(
        build,
        arguments(
            __doc__, given, batches=BATCHES, dtypes=("float32", "bfloat16", "float16"), libraries=("torch", "coqui-tts")
        ),
    )


if __name__ == "__main__":
    sys.exit(main())
