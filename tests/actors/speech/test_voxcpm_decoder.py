"""Many lines at once against the library's own call, one line at a time, on small untrained networks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from actors.speech.voxcpm_decoder import MOST_PATCHES_A_TOKEN, Decoded, Prompt, VoxCpmDecoder, waveforms
from tests.fixtures.checkpoints.voxcpm import SAMPLES_A_PATCH, voxcpm_checkpoint

pytestmark = pytest.mark.models
STEPS = 2
TEXTS = ("hola a todos", "otra cosa", "hasta luego amigos", "si", "bueno", "que pasa aqui")


def model() -> Any:
    from voxcpm.model.voxcpm2 import VoxCPM2Model

    return VoxCPM2Model.from_local(str(voxcpm_checkpoint()), optimize=False, device="cpu")


@pytest.fixture(scope="module")
def library() -> Any:
    return model()


@pytest.fixture(scope="module")
def decoder() -> VoxCpmDecoder:
    return VoxCpmDecoder(model(), steps=STEPS, rows=4, positions=300)


def voice(seed: int, patches: int) -> Any:
    import torch

    return torch.randn((patches, 2, 8), generator=torch.Generator().manual_seed(seed))


def prompts(library: Any) -> list[Prompt]:
    """With and without a voice, long and short, more than there are rows."""
    return [
        Prompt(library.text_tokenizer(text), voice(i, 5 * i) if i % 2 else None, seed=i) for i, text in enumerate(TEXTS)
    ]


def patches_of(decoded: Decoded) -> np.ndarray[Any, Any]:
    patches: np.ndarray[Any, Any] = decoded.patches.numpy()
    return patches


def differences(some: Sequence[Decoded], others: Sequence[Decoded]) -> list[float]:
    assert [len(one.patches) for one in some] == [len(one.patches) for one in others]
    return [float(np.abs(patches_of(a) - patches_of(b)).max()) for a, b in zip(some, others, strict=True)]


def test_a_batch_says_what_the_library_says_one_by_one(library: Any, decoder: VoxCpmDecoder) -> None:
    import torch

    decoded = decoder.decode(prompts(library))
    waves = waveforms(library, [one.patches for one in decoded], together=3)
    assert len({len(one.patches) for one in decoded}) > 2
    for text, prompt, own, wave in zip(TEXTS, prompts(library), decoded, waves, strict=True):
        heard = None if prompt.reference is None else {"mode": "reference", "ref_audio_feat": prompt.reference}
        torch.manual_seed(prompt.seed)
        sound, _, patches = library.generate_with_prompt_cache(
            target_text=text, prompt_cache=heard, inference_timesteps=STEPS
        )
        assert own.ended
        assert own.patches.shape == patches.shape
        assert np.allclose(patches_of(own), patches.numpy(), atol=1e-3)
        assert len(wave) == len(patches) * SAMPLES_A_PATCH
        assert np.allclose(wave.numpy(), sound[0].numpy(), atol=1e-4)


def test_company_order_and_rows_that_are_taken_again_change_nothing(library: Any, decoder: VoxCpmDecoder) -> None:
    alone = [decoder.decode([prompt])[0] for prompt in prompts(library)]
    backwards = decoder.decode(prompts(library)[::-1])[::-1]
    assert max(differences(alone, backwards)) < 1e-3


def test_one_that_comes_to_no_end_keeps_nobody_waiting(library: Any, decoder: VoxCpmDecoder) -> None:
    usual = decoder.decode(prompts(library))
    head = decoder._model.stop_head.weight
    stops = head.data.clone()
    head.data.zero_()
    try:
        endless = decoder.decode(prompts(library))
    finally:
        head.data.copy_(stops)
    assert not any(one.ended for one in endless)
    assert all(
        len(one.patches) >= MOST_PATCHES_A_TOKEN * len(prompt.tokens)
        for one, prompt in zip(endless, prompts(library), strict=True)
    )
    assert max(differences(usual, decoder.decode(prompts(library)))) < 1e-3


def test_what_does_not_fit_into_a_row_is_not_begun(library: Any, decoder: VoxCpmDecoder) -> None:
    usual = prompts(library)[0]
    long = Prompt(usual.tokens * 40, None, seed=1)
    refused, said = decoder.decode([long, usual])
    assert not refused.ended
    assert len(refused.patches) == 0
    assert differences([said], decoder.decode([usual])) < [1e-3]


def test_a_line_that_fills_its_row_is_ended_there(library: Any, decoder: VoxCpmDecoder) -> None:
    usual = prompts(library)[0]
    head = decoder._model.stop_head.weight
    stops = head.data.clone()
    head.data.zero_()
    try:
        (endless,) = decoder.decode([Prompt(usual.tokens, voice(1, 250), seed=1)])
    finally:
        head.data.copy_(stops)
    assert not endless.ended
    assert len(endless.patches) == 300 - len(usual.tokens) - 1 - 252


def test_its_steps_can_be_compiled_whole(library: Any) -> None:
    """On a GPU the library compiles them as graphs without a break, which a break would refuse."""
    import torch

    own = model()
    decoder = VoxCpmDecoder(own, steps=STEPS, rows=4, positions=300)
    for part, name in ((own.base_lm, "forward_step"), (own.residual_lm, "forward_step"), (own, "feat_encoder")):
        setattr(part, name, torch.compile(getattr(part, name), fullgraph=True, backend="aot_eager"))
    own.feat_decoder.estimator = torch.compile(own.feat_decoder.estimator, fullgraph=True, backend="aot_eager")
    some = prompts(library)[:3]
    usual = VoxCpmDecoder(model(), steps=STEPS, rows=4, positions=300).decode(some)
    assert max(differences(decoder.decode(some), usual)) < 1e-3
