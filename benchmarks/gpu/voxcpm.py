"""Speech by VoxCPM2, the usual voice of the profile `gpu`: the lines of an hour, many at once, in a learnt voice.

dubflow's own `voxcpm_decoder.py` over the library's networks with random weights, compiled as the engine does it; every
line is given the same length, for random weights would stop by chance.

Example:
    python -m benchmarks.gpu.voxcpm --json voxcpm.json
    python -m benchmarks.gpu.voxcpm --device cpu --tiny
"""

import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from benchmarks.gpu import hour
from benchmarks.gpu.common import Settings, Stage, arguments, require, run

BATCHES = (1, 16, 32, 64)
TEXT_TOKENS, REFERENCE_SECONDS = 20, 10.0
PATCH_SECONDS = 0.16
STEPS = 10
"""Of the diffusion that makes a patch."""


class VoxCpmSpeech:
    """Lines through the language models, the diffusion and the decoder of sound."""

    name = "speech"
    engine = "speech.voxcpm"
    library = "voxcpm"
    hour = hour.SPEECH_SECONDS

    def __init__(self, settings: Settings) -> None:
        import torch
        from voxcpm.model.voxcpm2 import VoxCPM2Model, VoxCPMConfig
        from voxcpm.modules.audiovae import AudioVAEV2

        from actors.speech.voxcpm_decoder import VoxCpmDecoder

        self._settings = settings
        config = VoxCPMConfig.model_validate(_config(settings))
        no_words: Any = SimpleNamespace(vocab={})  # texts come as tokens
        with torch.device(settings.device):
            sound = AudioVAEV2(config=config.audio_vae_config)
            model: Any = VoxCPM2Model(config, no_words, sound, device=settings.device).to(settings.torch_dtype)
        model.audio_vae.float()
        model.stop_head.weight.data.zero_()  # a line ends when it is long enough
        self._model = model.eval().requires_grad_(requires_grad=False)
        self._patches = 5 if settings.tiny else round(hour.LINE_SECONDS / PATCH_SECONDS)
        reference = 3 if settings.tiny else round(REFERENCE_SECONDS / PATCH_SECONDS)
        self._voice = torch.randn(reference, config.patch_size, config.feat_dim, dtype=settings.torch_dtype)
        positions = reference + 2 + TEXT_TOKENS + 1 + self._patches  # room for just one line: so all have one length
        rows = 2 if settings.tiny else max(BATCHES)
        self._decoder = VoxCpmDecoder(model, steps=STEPS, rows=rows, positions=positions)
        model.optimize(disable=settings.device != "cuda")

    def step(self, batch: int) -> float:
        """Lines at once."""
        import torch

        from actors.speech.voxcpm_decoder import Prompt, waveforms

        tokens = torch.randint(3, 60, (batch, TEXT_TOKENS)).tolist()
        said = self._decoder.decode([Prompt(tokens[i], self._voice, i) for i in range(batch)])
        waves = waveforms(self._model, [one.patches for one in said], batch)
        return sum(len(wave) for wave in waves) / float(self._model.sample_rate)


def _config(settings: Settings) -> dict[str, Any]:
    """As the weights' own `config.json` has it, or of a toy."""
    tiny = settings.tiny
    part = (
        {"hidden_dim": 16, "ffn_dim": 32, "num_heads": 2, "num_layers": 1, "kv_channels": 16}
        if tiny
        else {"hidden_dim": 1024, "ffn_dim": 4096, "num_heads": 16, "num_layers": 12, "kv_channels": 128}
    )
    sound = {
        "encoder_dim": 8,
        "encoder_rates": [2, 5, 8],
        "latent_dim": 8,
        "decoder_dim": 32,
        "decoder_rates": [8, 6, 5],
    }
    turns = [1.0] * (8 if tiny else 64)
    return {
        "lm_config": {
            "bos_token_id": 1,
            "eos_token_id": 2,
            "hidden_size": 32 if tiny else 2048,
            "intermediate_size": 64 if tiny else 6144,
            "max_position_embeddings": 512 if tiny else 32_768,
            "num_attention_heads": 2 if tiny else 16,
            "num_hidden_layers": 2 if tiny else 28,
            "num_key_value_heads": 2,
            "kv_channels": 16 if tiny else 128,
            "rms_norm_eps": 1e-5,
            "rope_scaling": {
                "type": "longrope",
                "long_factor": turns,
                "short_factor": turns,
                "original_max_position_embeddings": 512 if tiny else 32_768,
            },
            "vocab_size": 128 if tiny else 73_448,
            "use_mup": False,
            "scale_emb": 12,
            "dim_model_base": 256,
            "scale_depth": 1.4,
            "rope_theta": 10_000,
        },
        "patch_size": 2 if tiny else 4,
        "feat_dim": 8 if tiny else 64,
        "residual_lm_num_layers": 1 if tiny else 8,
        "residual_lm_no_rope": True,
        "scalar_quantization_latent_dim": 16 if tiny else 512,
        "encoder_config": part,
        "dit_config": {**part, "cfm_config": {"inference_cfg_rate": 2.0}},
        "audio_vae_config": {**sound, "cond_dim": 8} if tiny else {},
        "max_length": 512 if tiny else 8192,
        "device": settings.device,
        "dtype": settings.dtype,
    }


def build(settings: Settings) -> Stage:
    """The stage."""
    require("voxcpm", "bring its wheels; see benchmarks/gpu/README.md")
    return VoxCpmSpeech(settings)


def main(given: Sequence[str] | None = None) -> int:
    """Measure, print and keep it; the exit status."""
    return run(build, arguments(__doc__, given, batches=BATCHES, dtypes=("bfloat16",), libraries=("voxcpm",)))


if __name__ == "__main__":
    sys.exit(main())
