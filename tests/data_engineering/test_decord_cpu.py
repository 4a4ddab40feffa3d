"""Decoding leaves the process's matrix products alone, whichever is imported first."""

import subprocess
import sys

SCRIPT = """
import sys
import data_engineering.video
maps = open("/proc/self/maps").read() if sys.platform == "linux" else ""
print("nvblas" in maps, "cublas" in maps)
import torch
print((torch.ones(64, 64) @ torch.ones(64, 64)).sum().item())
"""


def test_reading_clips_loads_no_cuda_library() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False", "262144.0"], done.stderr
