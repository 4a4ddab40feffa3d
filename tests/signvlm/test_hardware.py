"""The hardware selector: what each kind of machine gets, and what is refused. `Backends` stands for the machine."""

import os
import subprocess
import sys

import pytest
import torch

from data_engineering.errors import ConfigError
from signvlm.hardware import Backends, probe, select


def machine(*, ampere=True, bitsandbytes=True, cores=16, windows=False, **cards):
    return Backends({"cpu": "always there", **cards}, ampere, bitsandbytes, cores, windows)


CPU = machine(ampere=False)
H200 = machine(cuda="NVIDIA H200")
T4 = machine(cuda="Tesla T4", ampere=False)
DIRECTML = machine(directml="AMD Radeon RX 6800", ampere=False, windows=True)
MAC = machine(mps="Apple silicon", ampere=False, bitsandbytes=False)


@pytest.mark.parametrize(
    ("backends", "device", "dtype", "four_bit", "workers", "tf32"),
    [
        (CPU, "cpu", "float32", False, 4, False),
        (H200, "cuda", "bfloat16", True, 4, True),
        (T4, "cuda", "float16", True, 4, False),
        (DIRECTML, "directml", "float32", False, 0, False),
        (MAC, "mps", "float32", False, 4, False),
        (machine(cuda="NVIDIA H200", directml="the same card"), "cuda", "bfloat16", True, 4, True),
        (machine(cuda="NVIDIA H200", windows=True), "cuda", "bfloat16", True, 0, True),
        (machine(cuda="NVIDIA H200", bitsandbytes=False), "cuda", "bfloat16", False, 4, True),
        (machine(directml="under WSL", ampere=False), "directml", "float32", False, 0, False),
        (machine(cores=2), "cpu", "float32", False, 2, False),
    ],
)
def test_auto_takes_the_best_of_each_machine(backends, device, dtype, four_bit, workers, tf32):
    chosen = select(backends=backends)
    assert (chosen.device, chosen.dtype, chosen.load_in_4bit) == (device, dtype, four_bit)
    assert (chosen.workers, chosen.tf32) == (workers, tf32)


def test_each_choice_is_told_with_its_reason():
    assert select(backends=T4).reasons == (
        "device: cuda (auto: Tesla T4)",
        "dtype: float16 (auto: the card has no bfloat16 in hardware)",
        "4-bit: on (auto: CUDA with bitsandbytes)",
        "workers: 4 (auto: 4 of 16 cores)",
    )
    assert "tf32 on" in select(backends=H200).reasons[1]
    assert select(backends=CPU).reasons[0] == "device: cpu (auto: no accelerator was found)"


def test_what_is_asked_for_is_kept():
    chosen = select("cpu", "bfloat16", False, 7, backends=machine(cuda="NVIDIA H200", cores=2))
    assert (chosen.device, chosen.dtype, chosen.load_in_4bit, chosen.workers) == ("cpu", "bfloat16", False, 7)
    assert not chosen.tf32
    assert all("asked for" in reason for reason in chosen.reasons)


@pytest.mark.parametrize("device", ["cuda", "directml", "mps"])
def test_a_device_that_is_not_there_is_refused_with_what_to_do(device):
    with pytest.raises(ConfigError, match=rf"^model\.device: {device} is not available here; .*model\.device=auto$"):
        select(device, backends=CPU)


@pytest.mark.parametrize(
    ("backends", "dtype"), [(CPU, "float16"), (MAC, "float16"), (DIRECTML, "float16"), (DIRECTML, "bfloat16")]
)
def test_a_dtype_that_cannot_train_there_is_refused(backends, dtype):
    with pytest.raises(ConfigError, match=rf"^model\.dtype: {dtype} .*model\.dtype=auto"):
        select(dtype=dtype, backends=backends)


def test_bfloat16_on_an_older_card_is_honoured_with_a_warning():
    chosen = select(dtype="bfloat16", backends=T4)
    assert chosen.dtype == "bfloat16"
    assert [line for line in chosen.reasons if line.startswith("warning:") and "model.dtype=float16" in line]


@pytest.mark.parametrize("backends", [CPU, DIRECTML])
def test_4_bits_asked_for_off_cuda_are_honoured_with_a_warning(backends):
    chosen = select(load_in_4bit=True, backends=backends)
    assert chosen.load_in_4bit
    assert len([line for line in chosen.reasons if line.startswith("warning:")]) == 1


def test_4_bits_asked_for_without_bitsandbytes_are_refused():
    with pytest.raises(ConfigError, match=r"^quantization\.load_in_4bit: bitsandbytes"):
        select(load_in_4bit=True, backends=MAC)


def test_this_machine_is_read_as_torch_sees_it():
    backends = probe()
    assert ("cuda" in backends.names) == torch.cuda.is_available()
    assert backends.names["cpu"]
    assert 1 <= backends.cores <= (os.cpu_count() or 1)
    chosen = select()
    assert chosen.device in backends.names
    assert isinstance(getattr(torch, chosen.dtype), torch.dtype)


def test_without_torch_directml_nothing_is_missing_and_nothing_is_said():
    """A fresh process, because bitsandbytes and torch say what they have to say when they are first imported."""
    code = "import sys; sys.modules['torch_directml'] = None; from signvlm.hardware import probe; print(probe().names)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "directml" not in done.stdout
    if not torch.cuda.is_available():
        assert done.stderr == ""
