"""A language model of any shape in plain PyTorch: caches of a fixed size, and a step that is one graph on a GPU."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention, silu


@dataclass(frozen=True, slots=True)
class Shape:
    """Numbers of a model as Llama and Qwen are built."""

    layers: int
    width: int
    heads: int
    groups: int
    inner: int
    words: int


QWEN_8B = Shape(layers=36, width=4096, heads=32, groups=8, inner=12_288, words=151_936)
XTTS_GPT = Shape(layers=30, width=1024, heads=16, groups=16, inner=2731, words=1026)
"""As many weights as XTTS' GPT-2 has: its two matrices of a feed-forward layer are three narrower ones here."""
TOY = Shape(layers=2, width=32, heads=4, groups=2, inner=64, words=96)
_ALIGNED = 64
"""Quick attention wants caches of such lengths."""


class _Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.head = shape.width // shape.heads
        self.heads, self.groups = shape.heads, shape.groups
        self.before = nn.RMSNorm(shape.width)
        self.after = nn.RMSNorm(shape.width)
        self.project = nn.Linear(shape.width, (shape.heads + 2 * shape.groups) * self.head, bias=False)
        self.out = nn.Linear(shape.width, shape.width, bias=False)
        self.up = nn.Linear(shape.width, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.width, bias=False)

    def forward(self, states: Tensor, turns: Tensor, at: Tensor, cache: tuple[Tensor, Tensor], mask: Any) -> Tensor:
        """States (batch, positions, width); `at` are their positions, the same for all rows."""
        batch, length, width = states.shape
        all_heads = self.project(self.before(states)).view(batch, length, -1, self.head).transpose(1, 2)
        asked, keys, values = all_heads.split((self.heads, self.groups, self.groups), dim=1)
        kept_keys, kept_values = cache
        kept_keys.index_copy_(2, at, _turned(keys, turns))
        kept_values.index_copy_(2, at, values)
        asked = _turned(asked, turns)
        if mask is None:  # the beginning: nothing but itself to look at
            keys, values = kept_keys[:, :, :length], kept_values[:, :, :length]
            seen = scaled_dot_product_attention(asked, keys, values, is_causal=True, enable_gqa=True)
        else:  # one position: the heads of a group ask their keys together, so that these are read once
            asked = asked.view(batch, self.groups, self.heads // self.groups, self.head)
            seen = scaled_dot_product_attention(asked, kept_keys, kept_values, attn_mask=mask)
            seen = seen.view(batch, self.heads, 1, self.head)
        states = states + self.out(seen.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.up(self.after(states)).chunk(2, dim=-1)
        return states + self.down(silu(gate) * up)


def _turned(heads: Tensor, turns: Tensor) -> Tensor:
    """Rotary positions."""
    one, other = heads.chunk(2, dim=-1)
    cosine, sine = turns.cos().to(heads.dtype), turns.sin().to(heads.dtype)
    return torch.cat((one * cosine - other * sine, other * cosine + one * sine), dim=-1)


class LanguageModel(nn.Module):
    """Untrained: what it says means nothing, and takes as long as if it did."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed = nn.Embedding(shape.words, shape.width)
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))
        self.norm = nn.RMSNorm(shape.width)
        self.write = nn.Linear(shape.width, shape.words, bias=False)

    @classmethod
    def made(cls, shape: Shape, device: str, dtype: torch.dtype) -> "LanguageModel":
        """One on a device; weights are made there, for those of 8 billion do not fit twice into every host."""
        with torch.device("meta"):
            model = cls(shape)
        model = model.to(dtype).to_empty(device=device).requires_grad_(requires_grad=False)
        for name, parameter in model.named_parameters():
            parameter.fill_(1.0) if "norm" in name or parameter.ndim == 1 else parameter.normal_(0, 0.02)
        return model.eval()

    def states(self, tokens: Tensor, at: Tensor, caches: Any, mask: Any) -> Tensor:
        """The last layer's states of tokens (batch, positions)."""
        head = self.shape.width // self.shape.heads
        rates = 10_000.0 ** -(torch.arange(0, head, 2, device=tokens.device) / head)
        turns = at[:, None] * rates
        states = self.embed(tokens)
        for layer, cache in zip(self.layers, caches, strict=True):
            states = layer(states, turns, at, cache, mask)
        return self.norm(states)


class Writer:
    """Writes so many tokens after prompts of so many, the likeliest ones, for a batch of rows.

    Args:
        model: On its device.
        batch: Rows.
        prompt: Tokens of each.
        answer: Tokens that are written to each.
    """

    def __init__(self, model: LanguageModel, batch: int, prompt: int, answer: int) -> None:
        shape, weight = model.shape, model.write.weight
        self._model, self._prompt, self._answer = model, prompt, answer
        length = -(-(prompt + answer) // _ALIGNED) * _ALIGNED
        size = (batch, shape.groups, length, shape.width // shape.heads)
        self._caches = [(weight.new_zeros(size), weight.new_zeros(size)) for _ in range(shape.layers)]
        self._token = torch.zeros((batch, 1), dtype=torch.long, device=weight.device)
        self._at = torch.zeros(1, dtype=torch.long, device=weight.device)
        self._places = torch.arange(length, device=weight.device)
        self.state = weight.new_zeros((batch, 1, shape.width))
        self._graph: Any = None

    def write(self, prompts: Tensor) -> Tensor:
        """The last states of prompts (batch, positions) and of what follows: (batch, answer, width)."""
        found = []
        with torch.inference_mode():
            states = self._model.states(prompts, self._places[: self._prompt], self._caches, None)[:, -1:]
            self._token.copy_(self._model.write(states).argmax(-1))
            self._at.fill_(self._prompt)
            for _ in range(self._answer):
                self._step()
                found.append(self.state.clone())
            return torch.cat(found, dim=1)

    def _step(self) -> None:
        if self._token.device.type != "cuda":
            self._advance()
            return
        if self._graph is None:
            self._graph = self._captured()
        self._graph.replay()

    def _captured(self) -> Any:
        """The step as one graph: launched kernel by kernel, a GPU would wait for the processor."""
        token, at = self._token.clone(), self._at.clone()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(2):
                self._advance()
                self._token.copy_(token)
                self._at.copy_(at)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._advance()
        self._token.copy_(token)
        self._at.copy_(at)
        return graph

    def _advance(self) -> None:
        mask = (self._places <= self._at)[None, None, None, :]
        self.state.copy_(self._model.states(self._token, self._at, self._caches, mask))
        self._token.copy_(self._model.write(self.state).argmax(-1))
        self._at.add_(1)
