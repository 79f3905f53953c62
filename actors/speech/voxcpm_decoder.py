"""VoxCPM2's networks for many lines at once, each as if it were alone.

The library says one text a call. Here a line has a row of the networks' caches, and a row whose line has ended takes
the next one. Beginnings are padded on the right, where causal attention never looks; from there on every row is at its
own position. Noise is drawn for each line by a generator of its own, in the library's order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

MOST_PATCHES_A_TOKEN = 6
"""Speech that is not over by then never will be: the library's own measure."""
_MORE_PATCHES = 10
_FIRST_END = 3
"""The library looks for an end from the patch of this index on."""
_GUIDANCE = 2.0
"""How much more than by chance a patch follows its text (classifier-free guidance); the library's own choice."""


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A text to say.

    Attributes:
        tokens: Of the text.
        reference: The voice, tensor (patches, patch size, width) of a recording; None where the text describes it.
        seed: Decides the noise: the same prompt gives the same sound in any company.
    """

    tokens: Sequence[int]
    reference: Any
    seed: int


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the networks said.

    Attributes:
        patches: Tensor (patches, patch size, width): what the decoder of sound reads.
        ended: False where it did not come to an end.
    """

    patches: Any
    ended: bool


@dataclass(slots=True, eq=False)
class _Line:
    """A line at work in a row of the caches.

    Attributes:
        index: Of its prompt.
        position: How much of the row's caches is written.
        noise: Tensor (patches, width, patch size): what each patch is made from; as many as it may have.
        patches: What has been said.
        enough: With so many patches it is a loop.
    """

    index: int
    position: int
    noise: Any
    enough: int
    patches: list[Any] = field(default_factory=list)

    def over(self, *, stops: bool) -> bool:
        return (stops and len(self.patches) > _FIRST_END) or len(self.patches) >= len(self.noise)


class VoxCpmDecoder:
    """Texts into patches of sound.

    Args:
        model: `voxcpm.model.voxcpm2.VoxCPM2Model`, not compiled yet. Its caches are replaced by those of many rows.
        steps: Of the diffusion that makes a patch.
        rows: Lines at work at a time.
        positions: How long a line may be: its voice, its text and what is said, in tokens and patches.
    """

    def __init__(self, model: Any, *, steps: int, rows: int, positions: int) -> None:
        import torch

        self._model = model
        self._rows = rows
        self._positions = positions
        self._models = (model.base_lm, model.residual_lm)
        self._device = model.base_lm.embed_tokens.weight.device
        self._dtype = model.base_lm.embed_tokens.weight.dtype
        self._caches = [_cache_of(lm, rows, positions, self._device, self._dtype) for lm in self._models]
        blank = partial(torch.zeros, dtype=self._dtype, device=self._device)
        hidden = model.config.lm_config.hidden_size
        self._hidden, self._residual = blank((rows, hidden)), blank((rows, hidden))
        self._patch = blank((rows, model.patch_size, model.feat_dim))
        self._position = torch.zeros(rows, dtype=torch.long, device=self._device)
        times = torch.linspace(1, 0, steps + 1, dtype=self._dtype, device=self._device)
        self._times = times + torch.cos(torch.pi / 2 * times) - 1 + times  # sway sampling, as the library has it

    def decode(self, prompts: Sequence[Prompt]) -> list[Decoded]:
        """Say texts; one that is too long for a row has no patches and no end."""
        import torch

        done: dict[int, Decoded] = {}
        waiting: deque[int] = deque()
        for i, prompt in enumerate(prompts):
            if self._room(prompt) > 0:
                waiting.append(i)
            else:
                done[i] = Decoded(self._patch[:0], ended=False)
        lines: list[_Line] = []
        with torch.inference_mode():
            while waiting or lines:
                free = min(len(waiting), self._rows - len(lines))
                if free:
                    lines += self._begin(len(lines), {i: prompts[i] for i in (waiting.popleft() for _ in range(free))})
                over = self._advance(lines)
                for row in reversed(over):
                    line = lines[row]
                    done[line.index] = Decoded(torch.stack(line.patches), ended=len(line.patches) < line.enough)
                    self._vacate(row, lines)
        return [done[i] for i in range(len(prompts))]

    def _room(self, prompt: Prompt) -> int:
        """Patches that a row has room for after the beginning of a line."""
        return self._positions - len(prompt.tokens) - 1 - (0 if prompt.reference is None else len(prompt.reference) + 2)

    def _begin(self, row: int, prompts: dict[int, Prompt]) -> list[_Line]:
        """Read the beginnings of lines into the rows from this one on."""
        import torch

        model = self._model
        beginnings = [self._beginning(prompt) for prompt in prompts.values()]
        lengths = torch.tensor([len(tokens) for tokens, _, _ in beginnings], device=self._device)
        tokens, sounds, heard = (
            torch.nn.utils.rnn.pad_sequence(list(parts), batch_first=True) for parts in zip(*beginnings, strict=True)
        )
        written = (torch.arange(tokens.shape[1], device=self._device) < lengths[:, None])[..., None] & ~heard
        said, read = heard.to(self._dtype), written.to(self._dtype)
        encoder = getattr(model, "_feat_encoder_raw", model.feat_encoder)  # the compiled one is for single patches
        sound = said * model.enc_to_lm_proj(encoder(sounds))
        scale = model.config.lm_config.scale_emb if model.config.lm_config.use_mup else 1.0
        hidden, caches = model.base_lm(inputs_embeds=read * model.base_lm.embed_tokens(tokens) * scale + sound)
        hidden = model.fsq_layer(hidden) * said + hidden * read
        residual, residual_caches = model.residual_lm(
            inputs_embeds=model.fusion_concat_proj(torch.cat((hidden, sound), dim=-1))
        )
        rows, last = slice(row, row + len(prompts)), (torch.arange(len(prompts), device=self._device), lengths - 1)
        for own, new in zip(self._caches, (caches, residual_caches), strict=True):
            for layer, (keys, values) in enumerate(new):
                own[0, layer, rows, :, : tokens.shape[1]] = keys
                own[1, layer, rows, :, : tokens.shape[1]] = values
        self._hidden[rows], self._residual[rows] = hidden[last], residual[last]
        self._patch[rows], self._position[rows] = sounds[last], lengths
        return [
            self._line(index, prompt, length)
            for (index, prompt), length in zip(prompts.items(), lengths.tolist(), strict=True)
        ]

    def _beginning(self, prompt: Prompt) -> tuple[Any, Any, Any]:
        """Tokens, patches (zeros beside tokens), and which of both counts: (n,), (n, patch size, width), (n, 1)."""
        import torch

        model, device = self._model, self._device
        tokens = torch.tensor([*prompt.tokens, model.audio_start_token], dtype=torch.long, device=device)
        sounds = torch.zeros((len(tokens), *self._patch.shape[1:]), dtype=self._dtype, device=device)
        heard = torch.zeros((len(tokens), 1), dtype=torch.bool, device=device)
        if prompt.reference is not None:
            voice, patches, _, of_voice = model._make_ref_prefix(prompt.reference.to(device), device)  # noqa: SLF001
            tokens = torch.cat([voice.long(), tokens])
            sounds = torch.cat([patches.to(self._dtype), sounds])
            heard = torch.cat([of_voice.bool()[:, None], heard])
        return tokens, sounds, heard

    def _line(self, index: int, prompt: Prompt, position: int) -> _Line:
        import torch

        enough = MOST_PATCHES_A_TOKEN * len(prompt.tokens)
        patches = min(enough + _MORE_PATCHES, self._room(prompt))
        shape = (patches, self._patch.shape[2], self._patch.shape[1])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(prompt.seed))
        return _Line(index, position, noise, min(enough, patches))

    def _advance(self, lines: Sequence[_Line]) -> list[int]:
        """Say the next patch of every line; gives the rows whose line is over."""
        import torch

        model = self._model
        rows = self._width(len(lines))
        for lm, cache in zip(self._models, self._caches, strict=True):
            lm.kv_cache.kv_cache = cache[:, :, :rows]
        hidden, position = self._hidden[:rows], self._position[:rows]
        stops = model.stop_head(model.stop_actn(model.stop_proj(hidden))).argmax(dim=-1)
        patch = model.feat_decoder.solve_euler(
            x=self._noise(lines, rows),
            t_span=self._times,
            mu=torch.cat((model.lm_to_dit_proj(hidden), model.res_to_dit_proj(self._residual[:rows])), dim=-1),
            cond=self._patch[:rows].transpose(1, 2).contiguous(),
            cfg_value=_GUIDANCE,
        ).transpose(1, 2)
        heard = model.enc_to_lm_proj(model.feat_encoder(patch.unsqueeze(1)))[:, 0]
        hidden = model.fsq_layer(model.base_lm.forward_step(heard, position))
        self._residual[:rows] = model.residual_lm.forward_step(
            model.fusion_concat_proj(torch.cat((hidden, heard), dim=-1)), position
        )
        self._hidden[:rows], self._patch[:rows] = hidden, patch
        self._position[: len(lines)] += 1
        for line, own in zip(lines, patch, strict=False):
            line.patches.append(own)
            line.position += 1
        return [
            row
            for row, (line, stop) in enumerate(zip(lines, stops.tolist(), strict=False))
            if line.over(stops=stop == 1)
        ]

    def _width(self, lines: int) -> int:
        """Rows that are computed: powers of two, so that few shapes are compiled."""
        return min(self._rows, 1 << (lines - 1).bit_length())

    def _noise(self, lines: Sequence[_Line], rows: int) -> Any:
        import torch

        noise = torch.zeros((rows, *lines[0].noise.shape[1:]))
        for row, line in enumerate(lines):
            noise[row] = line.noise[len(line.patches)]
        return noise.to(self._device, self._dtype)

    def _vacate(self, row: int, lines: list[_Line]) -> None:
        """Take a line out; the last row's moves to where it was."""
        last = len(lines) - 1
        line = lines.pop()
        if row != last:
            lines[row] = line
            for state in (self._hidden, self._residual, self._patch, self._position):
                state[row] = state[last]
            for cache in self._caches:
                cache[:, :, row, :, : line.position] = cache[:, :, last, :, : line.position]
        self._position[last] = 0


def waveforms(model: Any, patches: Sequence[Any], together: int) -> list[Any]:
    """Patches into sound: tensors (samples,) on the CPU, at the model's rate.

    The decoder of sound is causal: padding on the right changes nothing before it.

    Args:
        model: `voxcpm.model.voxcpm2.VoxCPM2Model`.
        patches: Tensors (patches, patch size, width).
        together: How many lines are decoded in one batch.
    """
    import torch

    order = sorted(range(len(patches)), key=lambda i: len(patches[i]))
    waves: dict[int, Any] = {}
    with torch.inference_mode():
        for first in range(0, len(order), together):
            group = order[first : first + together]
            latents = [patches[i].flatten(0, 1).float() for i in group]
            padded = torch.nn.utils.rnn.pad_sequence(latents, batch_first=True).transpose(1, 2)
            decoded = model.audio_vae.decode(padded)[:, 0].float().cpu()
            hop = model.audio_vae.decode_chunk_size
            waves |= {i: wave[: hop * len(own)] for i, wave, own in zip(group, decoded, latents, strict=True)}
    return [waves[i] for i in range(len(patches))]


def _cache_of(lm: Any, rows: int, positions: int, device: Any, dtype: Any) -> Any:
    """Caches of many rows, tensor (keys and values, layers, rows, heads, positions, width), and steps that use them."""
    lm.setup_cache(rows, positions, device, dtype)
    for layer in lm.layers:
        layer.self_attn.forward_step = _step_of(layer.self_attn)
    return lm.kv_cache.kv_cache


def _step_of(attention: Any) -> Callable[..., Any]:
    """The library's step of attention, but with a position of its own for every row."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention
    from voxcpm.modules.minicpm4.model import apply_rotary_pos_emb

    def step(hidden_states: Any, position_emb: Any, position_id: Any, kv_cache: tuple[Any, Any]) -> Any:
        rows = len(hidden_states)
        query, key, value = (
            project(hidden_states).view(rows, -1, 1, attention.head_dim)
            for project in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        if position_emb is not None:
            cos, sin = (part[:, None, None] for part in position_emb)
            query, key = apply_rotary_pos_emb(query, key, cos, sin)
        keys, values = kv_cache
        row = torch.arange(rows, device=hidden_states.device)
        keys[row, :, position_id] = key[:, :, 0]
        values[row, :, position_id] = value[:, :, 0]
        written = torch.arange(keys.shape[2], device=hidden_states.device) <= position_id[:, None]
        heard = scaled_dot_product_attention(query, keys, values, attn_mask=written[:, None, None], enable_gqa=True)
        return attention.o_proj(heard.reshape(rows, -1))

    return step
