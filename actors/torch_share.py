from actors.contracts.engine import EngineOptions
from actors.cuda_pool import CONTEXT_BYTES


def keep_to_share(options: EngineOptions) -> None:
    """Hold PyTorch to the memory of a GPU, or the threads of a processor, that an engine has been given."""
    import torch

    if options.device == "cuda":
        memory = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        torch.cuda.set_per_process_memory_fraction(fraction(options.gpu_share, memory))
    else:
        torch.set_num_threads(options.threads)


def fraction(share: float, memory: int) -> float:
    """What PyTorch's own allocator may have of a share of a GPU with so many bytes: CUDA's context is not in it."""
    return max(0.0, share - CONTEXT_BYTES / memory)
