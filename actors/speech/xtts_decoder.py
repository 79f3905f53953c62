"""XTTS's language model of sound, for many texts and speakers at once, each as if it were alone.

The library says one text a call. Here the prefixes (voice, text) of a batch are padded on the left and masked, which
changes nothing: the model counts positions from the text's and the sound's own beginnings. The library runs the model a
second time over what it wrote, for the vectors that its vocoder reads; they are the very states that the first run had.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_NOISE_STEPS = 32
"""Steps whose noise is drawn at once."""
_CODES_A_CHARACTER, _CODES_AT_LEAST = 5, 60
"""Three times what slow speech needs: a text that gets there is a loop."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How codes are drawn; temperature 0 takes the likeliest."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A text to say.

    Attributes:
        tokens: Of the text.
        characters: How many the text has.
        conditioning: The voice, tensor (1, latents, width).
        seed: Decides the draws: the same prompt gives the same codes in any company.
    """

    tokens: Sequence[int]
    characters: int
    conditioning: Any
    seed: int

    @property
    def most_codes(self) -> int:
        """Speech that is not over by then never will be."""
        return _CODES_AT_LEAST + _CODES_A_CHARACTER * self.characters


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """What the model said.

    Attributes:
        latents: Tensor (codes, width): what the vocoder reads.
        ended: False where it did not come to an end.
    """

    latents: Any
    ended: bool


class XttsDecoder:
    """Texts into latents.

    Args:
        gpt: `TTS.tts.layers.xtts.gpt.GPT`, made ready for inference.
        sampling: How codes are drawn.
    """

    def __init__(self, gpt: Any, sampling: Sampling) -> None:
        self._gpt = gpt
        self._sampling = sampling

    def decode(self, prompts: Sequence[Prompt]) -> list[Decoded]:
        """Say texts, all at once."""
        import torch

        gpt = self._gpt
        states: list[Any] = []
        with torch.inference_mode():
            prefix, mask = self._prefixes([self._prefix(prompt) for prompt in prompts])
            inputs = torch.ones(mask.shape, dtype=torch.long, device=mask.device)
            inputs[:, -1] = gpt.start_audio_token
            gpt.gpt_inference.store_prefix_emb(prefix)
            watch = gpt.final_norm.register_forward_hook(lambda _module, _inputs, out: states.append(out[:, -1]))
            try:
                codes = gpt.gpt_inference.generate(
                    inputs,
                    attention_mask=mask,
                    bos_token_id=gpt.start_audio_token,
                    pad_token_id=gpt.stop_audio_token,
                    eos_token_id=gpt.stop_audio_token,
                    max_length=inputs.shape[1] + gpt.max_gen_mel_tokens,
                    do_sample=False,
                    logits_processor=self._processors(prompts, mask),
                )[:, inputs.shape[1] :]
            finally:
                watch.remove()
            latents = torch.stack(states, dim=1)
            return [
                self._decoded(row, latents[i], prompt)
                for i, (row, prompt) in enumerate(zip(codes, prompts, strict=True))
            ]

    def _decoded(self, codes: Any, latents: Any, prompt: Prompt) -> Decoded:
        stops = (codes == self._gpt.stop_audio_token).nonzero()
        length = int(stops[0]) + 1 if len(stops) else len(codes)
        return Decoded(latents[:length], ended=len(stops) > 0 and length < prompt.most_codes)

    def _prefix(self, prompt: Prompt) -> Any:
        """The voice and the text, tensor (positions, width)."""
        import torch

        gpt = self._gpt
        tokens = [gpt.start_text_token, *prompt.tokens, gpt.stop_text_token]
        text = torch.tensor([tokens], device=gpt.final_norm.weight.device)
        embedded = gpt.text_embedding(text) + gpt.text_pos_embedding(text)
        return torch.cat([prompt.conditioning, embedded], dim=1)[0]

    def _prefixes(self, prefixes: Sequence[Any]) -> tuple[Any, Any]:
        """Padded on the left: (batch, longest, width); and the mask of them and of the first sound."""
        longest = max(len(prefix) for prefix in prefixes)
        padded = prefixes[0].new_zeros((len(prefixes), longest, prefixes[0].shape[1]))
        mask = prefixes[0].new_zeros((len(prefixes), longest + 1)).long()
        for i, prefix in enumerate(prefixes):
            padded[i, longest - len(prefix) :] = prefix
            mask[i, longest - len(prefix) :] = 1
        return padded, mask

    def _processors(self, prompts: Sequence[Prompt], mask: Any) -> Any:
        from transformers import (
            LogitsProcessorList,
            RepetitionPenaltyLogitsProcessor,
            TemperatureLogitsWarper,
            TopKLogitsWarper,
            TopPLogitsWarper,
        )

        sampling = self._sampling
        processors: list[Any] = [RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)]
        if sampling.temperature > 0:
            processors += [
                TemperatureLogitsWarper(sampling.temperature),
                TopKLogitsWarper(sampling.top_k),
                TopPLogitsWarper(sampling.top_p),
                _Noise([prompt.seed for prompt in prompts]),
            ]
        limits = [prompt.most_codes for prompt in prompts]
        processors.append(_Limit(limits, mask.shape[1], self._gpt.stop_audio_token))
        return LogitsProcessorList(processors)


class _Noise:
    """Gumbel noise, so that the likeliest code is a draw (Gumbel-max); each row has a generator of its own."""

    def __init__(self, seeds: Sequence[int]) -> None:
        import torch

        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._noise: list[Any] = []

    def __call__(self, _codes: Any, scores: Any) -> Any:
        import torch

        if not self._noise:
            drawn = [
                torch.empty((_NOISE_STEPS, scores.shape[1])).exponential_(generator=generator)
                for generator in self._generators
            ]
            self._noise = list((-torch.stack(drawn, dim=1).log()).to(scores.device))
        return scores + self._noise.pop(0)


class _Limit:
    """Ends a row that says more than its text can hold, so that its neighbours need not wait for it."""

    def __init__(self, limits: Sequence[int], prefix: int, stop: int) -> None:
        self._limits = limits
        self._prefix = prefix
        self._stop = stop

    def __call__(self, codes: Any, scores: Any) -> Any:
        said = codes.shape[1] - self._prefix + 1
        for row, limit in enumerate(self._limits):
            if said >= limit:
                scores[row, self._stop] = float("inf")
        return scores
