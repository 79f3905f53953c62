"""An hour of video as all of these benchmarks take it, and what others have published for one."""

from collections.abc import Mapping
from types import MappingProxyType

SECONDS = 3600.0
SPEECH_SECONDS = 2160.0
"""People speak 60 % of it, as `cluster.loads.SPEECH_SHARE` has it."""
LINES = 480
LINE_SECONDS = SPEECH_SECONDS / LINES
WORDS = 5400
"""150 a minute of speech."""
PROMPT_TOKENS = 168_000
ANSWER_TOKENS = 11_000
PASSAGE_LINES = 8
"""Lines that are translated in one answer."""

PUBLISHED: Mapping[str, tuple[float, str]] = MappingProxyType(
    {
        "diarization": (31.0, "pyannote-audio's README, community-1 on an H100: 31 s for an hour"),
        "transcription": (11.0, "Open ASR Leaderboard, large-v3-turbo: about 200 times real time in batches"),
        "translation": (6.0, "vLLM on an H100, an 8B model: benchmarks of its issues and of GPUStack"),
        "speech": (25.0, "batched cloning voices, 65 to 110 times real time: READMEs of Auralis, nano-vLLM, vllm-omni"),
        "voxcpm": (23.0, "nano-vLLM's README, VoxCPM2 on a 4090 with 64 lines at once: 92 times real time"),
        "separation": (40.0, "Demucs' README and users, 30 to 50 s for an hour; carried over from other GPUs"),
    }
)
"""GPU-seconds for an hour of video with ordinary batched components, as published, not measured here; figures of A100,
L20, 4090 and H100 are carried to an H200 as they are. Without separation they come to about 48 hours an hour."""
