"""The two networks of pyannote's community pipeline in plain PyTorch, untrained: their shapes, and so their work."""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu, max_pool1d, relu

RATE = 16_000
WINDOW_SECONDS, STEP_SECONDS = 10.0, 1.0
SPEAKERS, CLASSES = 3, 7
"""Of a window; and what may be heard in a frame: silence, one of three, or two of them."""
DIMENSIONS = 256


class Segmentation(nn.Module):
    """PyanNet: learnt filters on the waveform, four bidirectional LSTMs, two layers, a class for every frame.

    Args:
        hidden: Width of each direction.
        layers: LSTMs.
    """

    def __init__(self, hidden: int = 128, layers: int = 4) -> None:
        super().__init__()
        self.filters = nn.ModuleList(
            [nn.Conv1d(1, 80, 251, stride=10), nn.Conv1d(80, 60, 5), nn.Conv1d(60, 60, 5)],
        )
        self.norms = nn.ModuleList(nn.InstanceNorm1d(channels, affine=True) for channels in (80, 60, 60))
        self.lstm = nn.LSTM(60, hidden, layers, bidirectional=True, batch_first=True)
        self.linear = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.LeakyReLU(), nn.Linear(hidden, hidden), nn.LeakyReLU()
        )
        self.classify = nn.Linear(hidden, CLASSES)

    def forward(self, waves: Tensor) -> Tensor:
        """(windows, 1, samples) to the logarithms of probabilities (windows, frames, classes)."""
        heard = waves
        for i, (filters, norm) in enumerate(zip(self.filters, self.norms, strict=True)):
            heard = filters(heard)
            heard = leaky_relu(norm(max_pool1d(heard.abs() if i == 0 else heard, 3)))
        heard, _ = self.lstm(heard.transpose(1, 2))
        return self.classify(self.linear(heard)).log_softmax(-1)


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outside),
        )
        self.around: nn.Module = nn.Identity()
        if stride > 1 or inside != outside:
            self.around = nn.Sequential(nn.Conv2d(inside, outside, 1, stride, bias=False), nn.BatchNorm2d(outside))

    def forward(self, heard: Tensor) -> Tensor:
        return relu(self.body(heard) + self.around(heard))


class Embedding(nn.Module):
    """WeSpeaker's ResNet34: mel energies, four groups of blocks, means and deviations over a speaker's frames.

    Args:
        channels: Of the first group; each group has twice as many as the one before.
        blocks: Of the groups.
    """

    def __init__(self, channels: int = 32, blocks: tuple[int, ...] = (3, 4, 6, 3)) -> None:
        super().__init__()
        self.register_buffer("window", torch.hamming_window(400))
        self.register_buffer("mels", torch.rand(257, 80) / 257)
        layers: list[nn.Module] = [
            nn.Conv2d(1, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        inside = channels
        for group, count in enumerate(blocks):
            outside = channels * 2**group
            for block in range(count):
                layers.append(_Block(inside, outside, 2 if group and not block else 1))
                inside = outside
        self.trunk = nn.Sequential(*layers)
        self.embed = nn.Linear(2 * inside * math.ceil(80 / 2 ** (len(blocks) - 1)), DIMENSIONS)

    def forward(self, waves: Tensor, masks: Tensor) -> Tensor:
        """(windows, 1, samples) and (windows, speakers, frames) to (windows, speakers, dimensions)."""
        power = torch.stft(
            waves[:, 0].float(), 512, 160, 400, self.window.float(), center=False, return_complex=True
        ).abs()
        energies = (power.square().transpose(1, 2) @ self.mels.float() + 1e-6).log()
        energies = (energies - energies.mean(1, keepdim=True)).to(self.embed.weight.dtype)
        heard = self.trunk(energies.transpose(1, 2)[:, None]).flatten(1, 2)
        weights = nn.functional.interpolate(masks, heard.shape[-1])[:, :, None].to(heard.dtype)
        total = weights.sum(-1) + 1e-6
        mean = (heard[:, None] * weights).sum(-1) / total
        spread = ((heard[:, None] - mean[..., None]).square() * weights).sum(-1) / total
        return self.embed(torch.cat((mean, (spread + 1e-6).sqrt()), dim=-1))


def speaks(classes: Tensor) -> Tensor:
    """Who of three speakers is heard, for classes (windows, frames, classes): (windows, frames, speakers).

    An untrained network would hear one class all the time: what it says is read, and then replaced by two people who
    take turns, for 60 % of the time.
    """
    frames = torch.arange(classes.shape[1], device=classes.device) / classes.shape[1]
    turn = torch.where(frames < 0.35, 0, torch.where(frames < 0.6, 1, SPEAKERS))
    heard = nn.functional.one_hot(turn, SPEAKERS + 1)[:, :SPEAKERS]
    return heard + 0.0 * classes.argmax(-1)[..., None]
