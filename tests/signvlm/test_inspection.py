"""`train --inspect N`: the prompt as the model gets it, what is supervised in it, and the pixels."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_world import World

from data_engineering.frames import load_frames, row_frames
from signvlm.config import load
from signvlm.inspection import as_seen, inspect, marked
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.examples import as_examples
from signvlm.vlm.model import load_processor


@pytest.fixture(scope="module")
def collated(world: World):
    config = load(world.config)
    processor = load_processor(config.model)
    rows = load_frames(world.root, config.preprocess)["train"]
    examples = as_examples(rows, config.preprocess)
    return processor, rows, VideoCollator(processor, config.model.prompt)([examples[index] for index in range(3)])


def test_exactly_the_answer_and_the_end_token_are_marked(world: World) -> None:
    texts, sheet = inspect(load(world.config), 3)
    assert [re.findall(r"\[\[(.*?)\]\]", text, re.DOTALL) for text in texts] == [
        ["no<|im_end|>"],
        ["book<|im_end|>"],
        ["thank you<|im_end|>"],
    ]
    sheet.unlink()


def test_the_prompt_is_whole_and_a_frames_tokens_are_counted(world: World) -> None:
    config = load(world.config)
    [text], sheet = inspect(config, 1)
    name, prompt = text.split("\n", 1)
    assert name == "00001 'no'"
    frames = "".join(f"Frame{number}: <img><IMG_CONTEXT>x4</img>\n" for number in range(1, 5))
    assert prompt.startswith(f"<|im_start|>user\n{frames}{config.model.prompt}<|im_end|>\n<|im_start|>assistant\n[[no")
    sheet.unlink()


def test_the_count_is_that_of_the_labels(collated) -> None:
    processor, _, batch = collated
    supervised = int((batch["labels"][0] != IGNORED).sum())
    total = batch["labels"].shape[1]
    assert marked(processor, batch).endswith(f"{supervised} of {total} tokens are supervised")
    answer = processor.tokenizer("no", add_special_tokens=False)["input_ids"]
    assert supervised == len(answer) + 1


def test_the_pixels_are_the_stored_frames_to_the_last_bit(collated) -> None:
    processor, rows, batch = collated
    seen = as_seen(processor, batch["pixel_values"])
    np.testing.assert_array_equal(seen, np.concatenate([row_frames(rows[index]) for index in range(3)]))


def test_the_sheet_is_a_picture_with_a_row_a_clip(world: World) -> None:
    _, sheet = inspect(load(world.config), 2)
    with Image.open(sheet) as picture:
        assert picture.width > 4 * 128
        assert picture.height > 2 * 128
    sheet.unlink()


def test_more_rows_than_there_are_is_all_of_them(world: World) -> None:
    texts, sheet = inspect(load(world.config), 99)
    assert len(texts) == 3
    sheet.unlink()


def test_the_command_prints_the_rows_and_trains_nothing(world: World, call) -> None:
    before = sorted((world.root / "runs").iterdir())
    called = call("train", "--inspect", 2, "--config", world.config)
    assert called.status == 0
    assert called.out.count("[[") == 2
    sheet = world.root / "inspected.png"
    assert called.err.splitlines()[-1] == f"wrote {sheet}: the pixels that the model sees"
    assert sorted((world.root / "runs").iterdir()) == before
    sheet.unlink()


def test_frames_of_a_size_that_the_model_would_resize_are_refused(world: World, refused, tmp_path: Path) -> None:
    """The stored frames are of another size too, and that is told first: nothing is loaded for it."""
    line = refused(1, "train", "--inspect", 1, "--config", world.config, "--set", "preprocess.size=128")
    assert line.endswith("was made with other `preprocess` settings; run `signvlm preprocess`")
    assert not list(tmp_path.iterdir())
