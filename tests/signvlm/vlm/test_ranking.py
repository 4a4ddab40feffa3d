"""Exact ranking against brute force, the tree under it, and the beams beside it."""

import numpy as np
import pytest
import torch
import transformers

from data_engineering.errors import ConfigError
from signvlm.vlm.beam import beam_search
from signvlm.vlm.prompt import encode_answer, encode_prompts
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree

PROMPT = "Which sign is this? Answer with its gloss."
# Glosses that are prefixes of others, with spaces, hyphens, an apostrophe, and outside ASCII.
GLOSSARY = ("book", "books", "no", "not", "don't want", "a", "ab", "abc", "thank you", "THANK-YOU", "größe", "手話")


@pytest.fixture
def inputs(processor, clips):
    return encode_prompts(processor, PROMPT, clips)


@pytest.fixture
def tree(processor):
    return TokenTree.build(GLOSSARY, processor.tokenizer)


@torch.no_grad()
def brute_force(model, tokenizer, inputs, glossary):
    """Every gloss appended to the whole prompt and scored by a forward pass of its own."""
    prompt_length = inputs["input_ids"].shape[1]
    scores = []
    for gloss in glossary:
        answer = torch.tensor(encode_answer(tokenizer, gloss)).expand(len(inputs["input_ids"]), -1)
        logits = model(
            input_ids=torch.cat([inputs["input_ids"], answer], dim=1),
            attention_mask=torch.cat([inputs["attention_mask"], torch.ones_like(answer)], dim=1),
            pixel_values=inputs["pixel_values"],
        ).logits[:, prompt_length - 1 : -1]
        scores.append(logits.log_softmax(-1).gather(-1, answer[..., None]).sum((1, 2)))
    return torch.stack(scores, dim=1)


@pytest.mark.parametrize("chunk_size", [1, 3, 256])
def test_every_gloss_scores_as_it_does_by_brute_force(model, processor, inputs, tree, chunk_size):
    expected = brute_force(model, processor.tokenizer, inputs, GLOSSARY)
    assert expected.std() > 0.1  # or agreement would say nothing
    torch.testing.assert_close(rank(model, inputs, tree, chunk_size), expected, atol=1e-4, rtol=0)


def test_left_padding_changes_nothing(model, processor, inputs, tree):
    padded = dict(inputs)
    shape = (len(inputs["input_ids"]), 5)
    padded["input_ids"] = torch.cat([torch.full(shape, processor.tokenizer.pad_token_id), inputs["input_ids"]], dim=1)
    padded["attention_mask"] = torch.cat([torch.zeros(shape, dtype=torch.long), inputs["attention_mask"]], dim=1)
    torch.testing.assert_close(rank(model, padded, tree), rank(model, inputs, tree), atol=1e-4, rtol=0)


def test_eager_attention_ranks_alike(model, inputs, tree):
    expected = rank(model, inputs, tree, chunk_size=4)
    model.set_attn_implementation("eager")
    try:
        torch.testing.assert_close(rank(model, inputs, tree, chunk_size=4), expected, atol=1e-4, rtol=0)
    finally:
        model.set_attn_implementation("sdpa")


def test_the_clip_matters(model, inputs, tree):
    scores = rank(model, inputs, tree)
    assert (scores[0] - scores[1]).abs().max() > 1e-3


def test_the_tree_merges_prefixes_and_keeps_parents_first(processor, tree):
    assert (tree.parents < np.arange(len(tree.parents))).all()
    tokens = sum(len(answer) - 1 for answer in tree.answers)
    assert len(tree.tokens) < tokens
    for gloss, path in zip(GLOSSARY, tree.paths, strict=True):
        assert processor.tokenizer.decode(tree.tokens[list(path)]) == gloss
        assert tree.ancestry(path[-1]) == list(path)


def test_a_gloss_without_tokens_or_twice_is_refused(processor):
    with pytest.raises(ConfigError, match="has no token"):
        TokenTree.build(["book", ""], processor.tokenizer)
    with pytest.raises(ConfigError, match="the same tokens"):
        TokenTree.build(["book", "book"], processor.tokenizer)


@pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5,
    reason="generate of transformers 4 repeats frames for its beams, not videos: a beam sees other clips' frames",
)
def test_free_beams_are_generates_own(model, processor, inputs, tree):
    answers = beam_search(model, processor.tokenizer, inputs, tree, {}, constrained=False)
    longest = max(16, max(map(len, tree.answers)))
    plain = model.generate(
        **inputs,
        num_beams=5,
        num_return_sequences=5,
        length_penalty=0.0,
        do_sample=False,
        max_new_tokens=longest,
        eos_token_id=processor.tokenizer.eos_token_id,
        pad_token_id=processor.tokenizer.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    best = plain.sequences_scores.view(3, 5).max(dim=1).values
    assert [row[0].log_prob for row in answers] == pytest.approx(best.tolist(), abs=1e-4)
    assert all(row == sorted(row, key=lambda answer: -answer.log_prob) for row in answers)
    assert all(len({answer.gloss for answer in row}) == len(row) for row in answers)


def test_constrained_beams_stay_in_the_glossary_with_exact_scores(model, processor, inputs, tree):
    answers = beam_search(model, processor.tokenizer, inputs, tree, {}, constrained=True)
    exact = rank(model, inputs, tree)
    for row, scores in zip(answers, exact, strict=True):
        assert row
        for answer in row:
            assert answer.gloss in GLOSSARY
            assert answer.log_prob == pytest.approx(float(scores[GLOSSARY.index(answer.gloss)]), abs=1e-3)


def test_as_many_beams_as_glosses_find_the_best_gloss(model, processor, inputs, tree):
    wide = {"num_beams": 24, "num_return_sequences": 12}
    answers = beam_search(model, processor.tokenizer, inputs, tree, wide, constrained=True)
    best = rank(model, inputs, tree).argmax(dim=1).tolist()
    assert [row[0].gloss for row in answers] == [GLOSSARY[i] for i in best]


def test_a_glossary_smaller_than_the_beam_gives_each_gloss_once(model, processor, inputs):
    two = TokenTree.build(["no", "book"], processor.tokenizer)
    for row in beam_search(model, processor.tokenizer, inputs, two, {}, constrained=True):
        assert sorted(answer.gloss for answer in row) == ["book", "no"]
