"""decord must not bring CUDA's libraries along: one of them takes over BLAS and crashes torch where there is no GPU."""

import subprocess
import sys

import pytest


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
def test_decord_loads_no_cuda_library_and_torch_multiplies_after_it():
    code = """
from data_engineering.decoders import decord
loaded = {line.split()[-1].rpartition("/")[2] for line in open("/proc/self/maps") if "/nvidia/" in line}
assert not loaded, loaded
import sys
assert sys.modules.get("nvidia", "unset") is not None  # still there for others
import torch
a = torch.randn(600, 600)
assert torch.isfinite(a @ a).all()
assert not any("nvblas" in line for line in open("/proc/self/maps"))
print("fine")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "fine", done.stderr[-400:]
