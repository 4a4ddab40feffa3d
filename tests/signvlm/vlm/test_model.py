"""Where adapters and 4-bit layers land, what trains, and what loads."""

import pytest
import torch

from data_engineering.errors import ConfigError, RunError
from signvlm.config import ModelSettings
from signvlm.hardware import Hardware
from signvlm.vlm.model import (
    LANGUAGE_TARGETS,
    add_adapters,
    check_adapters,
    check_quantized,
    choose_attention,
    count_parameters,
    landing,
    load_base,
)
from signvlm.vlm.tiny import save_tiny

CPU = Hardware("cpu", "float32", False, 0, False, ())
CPU_4BIT = Hardware("cpu", "float32", True, 0, False, ())
NF4 = {"bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_tiny(tmp_path_factory.mktemp("base") / "tiny", ["book", "no"] * 10)


@pytest.fixture
def model(base):
    return load_base(ModelSettings(base=str(base)), CPU, {})[0]


def test_adapters_land_in_the_language_model_alone_and_the_projector_trains(model):
    adapted = add_adapters(model, {"r": 4})
    trained = {name for name, p in adapted.named_parameters() if p.requires_grad}
    assert any("multi_modal_projector" in name for name in trained)
    assert not any("vision_tower" in name for name in trained)
    lora = {name for name in trained if "lora_" in name}
    assert all("language_model" in name for name in lora)
    layers = model.config.get_text_config().num_hidden_layers
    assert check_adapters(adapted) == 7 * layers  # q, k, v, o, gate, up, down
    assert len(lora) == 2 * 7 * layers


def test_bare_names_would_reach_the_vision_tower_and_are_refused(model):
    with pytest.raises(ConfigError, match=r"outside the language model, e\.g\. .*vision_tower"):
        add_adapters(model, {"r": 4, "target_modules": ["q_proj", "v_proj"]})


def test_a_pattern_that_matches_nothing_is_refused(model):
    with pytest.raises(ConfigError, match="lora"):
        add_adapters(model, {"r": 4, "target_modules": r".*nothing\.here"})


def test_without_lora_the_whole_language_model_trains(model):
    whole = add_adapters(model, None)
    frozen = {name for name, p in whole.named_parameters() if not p.requires_grad}
    assert frozen
    assert all("vision_tower" in name for name in frozen)


def test_parameters_are_counted(model):
    before = count_parameters(model)
    assert before.total == sum(p.numel() for p in model.parameters())
    after = count_parameters(add_adapters(model, {"r": 4}))
    assert 0 < after.trainable < after.total
    assert f"{100 * after.trainable / after.total:.2f} %" in str(after)


def test_the_default_pattern_adapts_the_published_shape_as_computed_by_hand():
    """r 16 on q, k, v, o, gate, up and down of Qwen3-1.7B: 17.4 M parameters."""
    from accelerate import init_empty_weights
    from transformers import InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, Qwen3Config

    text = Qwen3Config(
        hidden_size=2048,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size=6144,
        vocab_size=151936,
        tie_word_embeddings=True,
    )
    with init_empty_weights():
        large = InternVLForConditionalGeneration(
            InternVLConfig(vision_config=InternVLVisionConfig(), text_config=text.to_dict())
        )
    from peft import LoraConfig, get_peft_model

    adapted = get_peft_model(large, LoraConfig(r=16, target_modules=LANGUAGE_TARGETS), low_cpu_mem_usage=True)
    assert check_adapters(adapted) == 7 * 28
    by_hand = 28 * 16 * (2 * (2048 + 2048) + 2 * (2048 + 1024) + 3 * (2048 + 6144))
    assert sum(p.numel() for n, p in adapted.named_parameters() if "lora_" in n) == by_hand == 17_432_576


def test_four_bits_stay_inside_the_language_model(base):
    """bitsandbytes' NF4 also runs on a CPU, slowly: enough to prove what is quantized."""
    from bitsandbytes.nn import Linear4bit

    model, _ = load_base(ModelSettings(base=str(base)), CPU_4BIT, NF4)
    quantized = [name for name, module in model.named_modules() if isinstance(module, Linear4bit)]
    assert len(quantized) == 7 * model.config.get_text_config().num_hidden_layers
    assert all("language_model" in name for name in quantized)
    assert model.lm_head.weight.dtype == torch.float32
    whole = load_base(ModelSettings(base=str(base)), CPU, {})[0]
    assert count_parameters(model).total == count_parameters(whole).total


def test_where_adapters_and_four_bits_lie_is_told(base):
    model, _ = load_base(ModelSettings(base=str(base)), CPU_4BIT, NF4)
    assert landing(model) == "4-bit layers: 28 in the language model, 0 elsewhere"
    told = landing(add_adapters(model, {"r": 4}))
    assert (
        told == "adapters: 28 in the language model, 0 elsewhere; 4-bit layers: 28 in the language model, 0 elsewhere"
    )


def test_a_part_of_the_language_model_without_four_bits_is_refused(base):
    model, _ = load_base(ModelSettings(base=str(base)), CPU_4BIT, NF4)
    assert len(check_quantized(model, ["lm_head"])) == 28
    model.model.language_model.layers[1].mlp.up_proj = torch.nn.Linear(128, 384)
    with pytest.raises(RunError, match=r"not in all of the language model, e\.g\. not in .*layers\.1\.mlp\.up_proj"):
        check_quantized(model, ["lm_head"])


def test_attention_is_chosen_by_device_and_dtype():
    assert choose_attention("auto", CPU)[0] == "sdpa"
    assert choose_attention("auto", Hardware("cpu", "bfloat16", False, 0, False, ()))[0] == "eager"
    assert choose_attention("auto", Hardware("cuda", "bfloat16", False, 0, False, ()))[0] == "sdpa"
    assert choose_attention("eager", CPU) == ("eager", "asked for")


def test_the_language_model_must_be_quantized_if_anything_is(base):
    skipped = {**NF4, "llm_int8_skip_modules": ["model.language_model", "model.vision_tower", "lm_head"]}
    with pytest.raises(RunError, match="outside the language model"):
        load_base(ModelSettings(base=str(base)), CPU_4BIT, skipped)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("nothing here", "neither a folder"), ("/etc", "not a model folder"), ("../x", "neither a folder")],
)
def test_a_base_that_cannot_be_loaded_is_named(name, reason, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")  # where there is no ../x
    with pytest.raises(ConfigError, match=reason):
        load_base(ModelSettings(base=name), CPU, {})


def test_attention_that_cannot_take_a_tree_mask_is_refused(base):
    with pytest.raises(ConfigError, match=r"model\.attention"):
        load_base(ModelSettings(base=str(base), attention="flash_attention_2"), CPU, {})
