"""Other vision-language models: trained, ranked, saved and loaded as the first is, or refused before they load."""

import shutil

import numpy as np
import pytest
import torch
from glosses import GLOSSARY, PROMPT
from qwen import SIZE, save_qwen
from transformers import AutoProcessor, LlavaConfig, Qwen2_5_VLForConditionalGeneration

from data_engineering.clip import Manifests
from data_engineering.errors import ConfigError
from signvlm.config import load
from signvlm.corpus import load_corpus
from signvlm.hardware import Hardware
from signvlm.loading import load_recognizer
from signvlm.passthrough import check_passthrough
from signvlm.train import train
from signvlm.vlm.anatomy import anatomy, read_config
from signvlm.vlm.examples import as_examples
from signvlm.vlm.model import load_base
from signvlm.vlm.prompt import check_frame_size, encode_prompts
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree

CPU = Hardware("cpu", "float32", False, 0, False, ())


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    return save_qwen(tmp_path_factory.mktemp("base") / "qwen", [*GLOSSARY, PROMPT] * 4)


@pytest.fixture(scope="module")
def loaded(qwen):
    return Qwen2_5_VLForConditionalGeneration.from_pretrained(qwen).eval(), AutoProcessor.from_pretrained(qwen)


def noise(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8) for _ in range(count)]


@torch.no_grad()
def test_ranking_is_what_the_model_says_of_each_gloss_by_itself(loaded):
    model, processor = loaded
    tree = TokenTree.build(GLOSSARY, processor.tokenizer)
    clips = noise(2)
    scores = rank(model, encode_prompts(processor, PROMPT, clips), tree, chunk_size=3)
    assert scores.std() > 0.1
    for row, clip in enumerate(clips):
        one = encode_prompts(processor, PROMPT, [clip])
        for column, answer in enumerate(tree.answers):
            tokens = torch.cat([one["input_ids"], torch.tensor([answer])], dim=1)
            kinds = {
                key: torch.nn.functional.pad(one[key], (0, len(answer))) for key in ("mm_token_type_ids",) if key in one
            }
            inputs = {**one, **kinds, "input_ids": tokens, "attention_mask": torch.ones_like(tokens)}
            said = model(**inputs).logits[0, -len(answer) - 1 : -1].log_softmax(dim=-1)
            expected = said[torch.arange(len(answer)), torch.tensor(answer)].sum()
            torch.testing.assert_close(scores[row, column], expected, atol=2e-4, rtol=0)


def test_it_trains_ranks_saves_and_reloads(qwen, world, tmp_path, trained_models):
    root = tmp_path / "data"
    shutil.copytree(world.root, root, ignore=shutil.ignore_patterns("frames", "runs"))
    manifest = Manifests(root).validated
    manifest.write_text(manifest.read_text().replace(str(world.root), str(root)))
    config = load(
        world.config,
        [
            *(f"model.base={qwen}", f"preprocess.size={SIZE}", f"data.root={root}"),
            *("training.learning_rate=1e-2", "training.gradient_checkpointing=true"),
            "model.projector_learning_rate=1e-3",
        ],
    )
    done = train(config)
    assert done.metrics["metric"] == "eval_top1"
    before = Qwen2_5_VLForConditionalGeneration.from_pretrained(qwen).state_dict()
    after = trained_models[0].state_dict()
    merger = "base_model.model.model.visual.merger.modules_to_save.default.mlp.0.weight"
    assert not torch.equal(after[merger], before["model.visual.merger.mlp.0.weight"])
    block = "visual.blocks.0.attn.qkv.weight"
    assert torch.equal(after[f"base_model.model.model.{block}"], before[f"model.{block}"])
    assert sum("lora_B" in name and after[name].abs().max() > 0 for name in after) == 7 * 2

    clips = [row["frames"] for row in as_examples(load_corpus(config).rows["validation"], config.preprocess)]
    found = load_recognizer(config, done.bundle).recognizer
    inner = trained_models[0].get_base_model().eval()
    expected = rank(inner, encode_prompts(found.processor, PROMPT, clips), found.tree)
    np.testing.assert_allclose(found.log_probs(clips), expected.numpy(), atol=1e-4)
    assert len(found.answer(clips[:1], "beam_constrained")[0]) > 0


@pytest.mark.parametrize("name", ["internvl3_5_1b", "internvl3_5_4b", "qwen2_5_vl_3b"])
def test_what_ships_for_them_is_accepted(name):
    check_passthrough(load(f"params/{name}.yaml"))


def test_a_model_of_another_kind_is_refused_before_its_weights_are_looked_for(tmp_path):
    LlavaConfig().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"a model of type llava cannot be trained or ranked with here; take one of"):
        load_base(load("params/demo.yaml", [f"model.base={tmp_path}"]).model, CPU, {})


def test_its_parts_are_known_by_its_configuration(qwen):
    parts = anatomy(read_config(load("params/demo.yaml", [f"model.base={qwen}"]).model))
    assert parts.unquantized == ["model.visual", "model.visual.merger", "lm_head"]


def test_frames_that_it_would_resize_are_refused(loaded):
    check_frame_size(loaded[1], 32)
    with pytest.raises(ConfigError, match=r"frames of 16 to 64 px in steps of 16, not 40; set it to (32|48)$"):
        check_frame_size(loaded[1], 40)
    with pytest.raises(ConfigError, match=r"not 448; set it to 64$"):
        check_frame_size(loaded[1], 448)
