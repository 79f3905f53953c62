"""What the flow and the engines promise each other: one file a capability.

Units everywhere: times in seconds on the source's own clock, rates in Hz, levels in dBFS or LUFS, languages as BCP-47
tags, waveforms as mono float32 in [-1, 1].
"""
