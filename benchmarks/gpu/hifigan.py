"""XTTS' vocoder in plain PyTorch, untrained: HiFi-GAN from the language model's states to 24 kHz."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

STATES_RATE, FRAME_SAMPLES, OUTPUT_RATE = 22_050 / 1024, 256, 24_000
"""States a second of sound; samples of a frame; samples a second."""
_SLOPE = 0.1
_KERNELS, _DILATIONS = (3, 7, 11), (1, 3, 5)


class _Block(nn.Module):
    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.pairs = nn.ModuleList(
            nn.ModuleList(
                nn.Conv1d(channels, channels, kernel, dilation=one, padding=one * (kernel - 1) // 2)
                for one in (dilation, 1)
            )
            for dilation in _DILATIONS
        )

    def forward(self, sound: Tensor) -> Tensor:
        for first, second in self.pairs:
            sound = sound + second(leaky_relu(first(leaky_relu(sound, _SLOPE)), _SLOPE))
        return sound


class HifiGan(nn.Module):
    """States of many lines to their sound.

    Args:
        width: Of the states.
        channels: Before the first of four steps up, each of which halves them.
        speaker: Width of the vector that says who speaks.
    """

    def __init__(self, width: int = 1024, channels: int = 512, speaker: int = 512) -> None:
        super().__init__()
        self.before = nn.Conv1d(width, channels, 7, padding=3)
        self.speaker = nn.Conv1d(speaker, channels, 1)
        self.ups, self.blocks, self.speakers = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for rate, kernel in ((8, 16), (8, 16), (2, 4), (2, 4)):
            self.ups.append(nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2))
            channels //= 2
            self.blocks.append(nn.ModuleList(_Block(channels, one) for one in _KERNELS))
            self.speakers.append(nn.Conv1d(speaker, channels, 1))
        self.after = nn.Conv1d(channels, 1, 7, padding=3, bias=False)

    def forward(self, states: Tensor, speaker: Tensor) -> Tensor:
        """(lines, states, width) and (lines, speaker, 1) to (lines, samples)."""
        frames = interpolate(
            states.transpose(1, 2), scale_factor=OUTPUT_RATE / FRAME_SAMPLES / STATES_RATE, mode="linear"
        )
        sound = self.before(frames) + self.speaker(speaker)
        for up, blocks, voice in zip(self.ups, self.blocks, self.speakers, strict=True):
            sound = up(leaky_relu(sound, _SLOPE)) + voice(speaker)
            sound = torch.stack([block(sound) for block in blocks]).mean(0)
        return torch.tanh(self.after(leaky_relu(sound)))[:, 0]
