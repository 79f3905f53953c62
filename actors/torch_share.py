from actors.contracts.engine import EngineOptions


def keep_to_share(options: EngineOptions) -> None:
    """Hold PyTorch to the memory of a GPU, or the threads of a processor, that an engine has been given."""
    import torch

    if options.device == "cuda":
        torch.cuda.set_per_process_memory_fraction(options.gpu_share)
    else:
        torch.set_num_threads(options.threads)
