"""The process that touches user media. It starts fast: nothing here imports more than PyAV and the standard library."""
