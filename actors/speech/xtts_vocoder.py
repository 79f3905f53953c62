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
    """

    def __init__(self, decoder: Any) -> None:
        self._decoder = decoder

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
            waves = self._bodies(frames, speaker)
            long = [i for i, one in enumerate(frames) if one.shape[1] >= _TAIL_FRAMES]
            self._mend(waves, frames, speaker, long)
            for i, one in enumerate(frames):
                if one.shape[1] < _TAIL_FRAMES:
                    waves[i] = self._run(one[None], speaker[i : i + 1])[0]
            return [wave.float().cpu() for wave in waves]

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

    def _bodies(self, frames: Sequence[Any], speaker: Any) -> list[Any]:
        import torch
        from torch.nn.functional import pad

        longest = max(one.shape[1] for one in frames)
        waves = self._run(torch.stack([pad(one, (0, longest - one.shape[1])) for one in frames]), speaker)
        return [waves[i, : one.shape[1] * self._hop] for i, one in enumerate(frames)]

    def _mend(self, waves: list[Any], frames: Sequence[Any], speaker: Any, long: Sequence[int]) -> None:
        """Give the ends of `long` utterances the sound that they have without padding."""
        import torch

        if not long:
            return
        spoilt = _SPOILT_FRAMES * self._hop
        ends = self._run(torch.stack([frames[i][:, -_TAIL_FRAMES:] for i in long]), speaker[list(long)])
        for i, end in zip(long, ends, strict=True):
            waves[i] = torch.cat([waves[i][:-spoilt], end[-spoilt:]])

    def _run(self, frames: Any, speaker: Any) -> Any:
        return self._decoder.waveform_decoder(frames, g=speaker)[:, 0]

    @property
    def _hop(self) -> int:
        return int(self._decoder.output_hop_length)
