"""When memory runs out: batches are halved, or the setting to change next is named."""

import pytest
import torch

from signvlm.config import load
from signvlm.hardware import Hardware
from signvlm.vlm.out_of_memory import is_out_of_memory, next_setting, smaller

CUDA = Hardware("cuda", "bfloat16", False, 4, True, ())
CPU = Hardware("cpu", "float32", False, 0, False, ())


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:118] . DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("Could not allocate tensor with 8 bytes. There is not enough GPU video memory available!"), True),
        (RuntimeError("shape '[2, 3]' is invalid for input of size 5"), False),
        (ValueError("out of memory of the past"), False),
    ],
)
def test_what_allocators_say_is_understood(error, expected):
    assert is_out_of_memory(error) is expected


def test_torch_itself_says_it_so():
    with pytest.raises(RuntimeError) as error:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(error.value)


@pytest.mark.parametrize(("size", "expected"), [(16, 8), (6, 3), (3, 1), (5, 1), (9, 3), (2, 1), (1, 0)])
def test_a_smaller_batch_divides_the_larger_one(size, expected):
    assert smaller(size) == expected


def test_the_setting_named_is_one_that_is_not_set_yet():
    config = load("params/internvl3_5_2b.yaml")
    four_bit = Hardware("cuda", "bfloat16", True, 4, True, ())
    assert "training.gradient_checkpointing=true" in next_setting(config, CUDA, checkpointing=False)
    assert "quantization.load_in_4bit=true" in next_setting(config, CUDA, checkpointing=True)
    assert "preprocess.num_frames=4" in next_setting(config, four_bit, checkpointing=True)
    assert "preprocess.num_frames=4" in next_setting(config, CPU, checkpointing=True)
    few = load("params/internvl3_5_2b.yaml", ["preprocess.num_frames=4"])
    assert "model.base" in next_setting(few, four_bit, checkpointing=True)
    whole = load("params/internvl3_5_2b.yaml", ["lora=null"])
    assert "lora.r=16" in next_setting(whole, four_bit, checkpointing=True)
