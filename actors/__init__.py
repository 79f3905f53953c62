"""The model pools: one folder a capability, one file an engine, contracts in `actors.contracts`."""

import os

TELEMETRY_SWITCHES = {
    "DO_NOT_TRACK": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "PYANNOTE_METRICS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Model libraries report home unless told not to, some as soon as they are imported: what people dub is their own."""

for _name, _value in TELEMETRY_SWITCHES.items():
    os.environ.setdefault(_name, _value)
