"""The most memory that was in use, where the device can tell."""

import sys

import psutil
import torch

ON_GPU = "GPU, allocated by torch"
OF_PROCESS = "process, resident, since its start"


def reset_peak() -> None:
    """Starts a new measurement on a CUDA device; a process's own peak cannot be reset."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()


def peak_memory() -> tuple[int, str]:
    """Returns bytes, and what they are of: `ON_GPU` since `reset_peak`, else `OF_PROCESS`."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated(), ON_GPU
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset, OF_PROCESS
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most, OF_PROCESS  # Linux counts in KiB
