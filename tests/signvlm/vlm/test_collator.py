"""What a training batch supervises, and what it shows."""

import numpy as np
import pytest
import torch

from data_engineering.errors import ConfigError
from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.prompt import check_frame_size, encode_answer, encode_prompts

PROMPT = "Which sign is this? Answer with its gloss."


def examples(clips, glosses=("no", "thank you", "book")):
    return [
        {"clip_id": str(i), "gloss": gloss, "frames": clip, "error": None}
        for i, (clip, gloss) in enumerate(zip(clips, glosses, strict=True))
    ]


def test_only_answers_and_their_end_tokens_are_supervised(processor, clips):
    batch = VideoCollator(processor, PROMPT)(examples(clips))
    for row, gloss in enumerate(("no", "thank you", "book")):
        labels = batch["labels"][row]
        supervised = labels[labels != IGNORED].tolist()
        assert supervised == encode_answer(processor.tokenizer, gloss)
        assert supervised[-1] == processor.tokenizer.eos_token_id
        assert processor.tokenizer.decode(supervised[:-1]) == gloss
        # Supervised tokens stand where the input has them, and the padding is neither seen nor supervised.
        assert torch.equal(batch["input_ids"][row][labels != IGNORED], labels[labels != IGNORED])
        assert not (batch["attention_mask"][row] == 0)[labels != IGNORED].any()


def test_the_training_prefix_is_the_inference_prefix(processor, clips):
    batch = VideoCollator(processor, PROMPT)(examples(clips))
    prompt = encode_prompts(processor, PROMPT, clips)
    length = prompt["input_ids"].shape[1]
    assert torch.equal(batch["input_ids"][:, :length], prompt["input_ids"])
    assert torch.equal(batch["pixel_values"], prompt["pixel_values"])


def test_nothing_is_truncated_and_every_frame_has_its_tokens(processor, clips):
    batch = VideoCollator(processor, PROMPT)(examples(clips))
    visual = (batch["input_ids"] == processor.image_token_id).sum(dim=1)
    assert visual.tolist() == [8 * processor.image_seq_length] * 3
    assert batch["pixel_values"].shape == (3 * 8, 3, 64, 64)
    assert (batch["labels"][batch["input_ids"] == processor.image_token_id] == IGNORED).all()
    text = processor.tokenizer.decode(batch["input_ids"][0])
    assert PROMPT in text
    assert "Frame8: " in text


def test_a_long_answer_pads_the_others_on_the_right(processor, clips):
    batch = VideoCollator(processor, PROMPT)(examples(clips, ("no", "a much longer gloss than the others", "book")))
    assert (batch["labels"][1, -1] == processor.tokenizer.eos_token_id).item()
    assert batch["labels"][0, -1] == IGNORED
    assert batch["attention_mask"][0, -1] == 0


def test_unequal_frame_counts_are_refused(processor, clips):
    with pytest.raises(ValueError, match="same number of frames"):
        encode_prompts(processor, PROMPT, [clips[0], clips[1][:4]])


def test_a_clip_that_could_not_be_read_marks_the_batch(processor, clips):
    rows = examples(clips)
    rows[1] |= {"frames": None, "error": ("truncated", "3 of 40 frames decode")}
    batch = VideoCollator(processor, PROMPT)(rows)
    assert batch["unreadable"] == [("1", "truncated", "3 of 40 frames decode")]
    assert batch["labels"].numel() == 0


def test_pixels_are_the_frames_normalised(processor, clips):
    pixels = encode_prompts(processor, PROMPT, clips)["pixel_values"][:8]
    mean = np.array(processor.video_processor.image_mean)
    std = np.array(processor.video_processor.image_std)
    expected = (clips[0] / 255 - mean) / std
    np.testing.assert_allclose(pixels.permute(0, 2, 3, 1).numpy(), expected, atol=1e-5)


def test_frames_of_another_size_are_refused(processor):
    check_frame_size(processor, 64)
    with pytest.raises(ConfigError, match="64 px frames, not 448"):
        check_frame_size(processor, 448)
