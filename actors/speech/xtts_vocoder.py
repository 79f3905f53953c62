"""XTTS's vocoder for many utterances at once, each as if it were alone.

Padding at the right reaches into the last few frames of an utterance. Those are made once more in a second batch, of
the utterances' ends, which are all equally long and need no padding.
"""

from collections.abc import Sequence
from typing import Any

_TAIL_FRAMES = 40
"""Frames of an end that are made again ..."""
_SPOILT_FRAMES = 16
"""... and of them the last ones that are used: padding reaches 8 frames far, and so does the cut before an end."""


class XttsVocoder:
    """Latents into waveforms.

    Args:
        decoder: `TTS.tts.layers.xtts.hifigan_decoder.HifiDecoder`.
        together: Whether utterances share batches. A processor is quicker without: `benchmarks/batching.py`.
    """

    def __init__(self, decoder: Any, *, together: bool) -> None:
        self._decoder = decoder
        self._together = together

    def speak(self, latents: Sequence[Any], speakers: Sequence[Any], rates: Sequence[float]) -> list[Any]:
        """Make waveforms.

        Args:
            latents: Tensors (codes, width).
            speakers: Tensors (1, 512, 1).
            rates: Speed of each; 1 is as the model spoke.

        Returns:
            Tensors (samples,) on the CPU, at the vocoder's rate; a frame has `output_hop_length` samples.
        """
        import torch

        with torch.inference_mode():
            frames = [self._frames(one, rate) for one, rate in zip(latents, rates, strict=True)]
            speaker = torch.cat(list(speakers))
            long = [i for i, one in enumerate(frames) if self._together and one.shape[1] >= _TAIL_FRAMES]
            waves = dict(zip(long, self._batch([frames[i] for i in long], speaker[long]), strict=True)) if long else {}
            alone = [i for i in range(len(frames)) if i not in waves]
            waves |= {i: self._run(frames[i][None], speaker[i : i + 1])[0] for i in alone}
            return [waves[i].float().cpu() for i in range(len(frames))]

    def _frames(self, latents: Any, rate: float) -> Any:
        """What the network reads: latents of 22 kHz, stretched to frames of 24 kHz; tensor (width, frames)."""
        from torch.nn.functional import interpolate

        decoder = self._decoder
        row = latents.T[None]
        if rate != 1:
            row = interpolate(row, scale_factor=1 / rate, mode="linear")
        row = interpolate(
            row, scale_factor=[decoder.ar_mel_length_compression / decoder.output_hop_length], mode="linear"
        )
        if decoder.output_sample_rate != decoder.input_sample_rate:
            row = interpolate(row, scale_factor=[decoder.output_sample_rate / decoder.input_sample_rate], mode="linear")
        return row[0]

    def _batch(self, frames: Sequence[Any], speaker: Any) -> list[Any]:
        """Padded on the right, and the ends that this spoils once more without."""
        import torch
        from torch.nn.functional import pad

        longest = max(one.shape[1] for one in frames)
        padded = torch.stack([pad(one, (0, longest - one.shape[1])) for one in frames])
        ends = self._run(torch.stack([one[:, -_TAIL_FRAMES:] for one in frames]), speaker)
        spoilt = _SPOILT_FRAMES * self._hop
        return [
            torch.cat([wave[: one.shape[1] * self._hop - spoilt], end[-spoilt:]])
            for wave, end, one in zip(self._run(padded, speaker), ends, frames, strict=True)
        ]

    def _run(self, frames: Any, speaker: Any) -> Any:
        return self._decoder.waveform_decoder(frames, g=speaker)[:, 0]

    @property
    def _hop(self) -> int:
        return int(self._decoder.output_hop_length)
