from pathlib import Path
from typing import Any


def open_network(file: Path, threads: int, *, arena: bool = True) -> Any:
    """An `onnxruntime.InferenceSession` on the processor.

    Args:
        file: The network.
        threads: How many it may keep busy.
        arena: Keep memory for the next run; a small network does without.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
