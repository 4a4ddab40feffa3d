"""Beams against transformers' own, and against exact scores."""

import pytest
import torch
import transformers
from glosses import GLOSSARY

from signvlm.vlm.beam import beam_search, beams, inside
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree


@pytest.mark.skipif(
    int(transformers.__version__.split(".")[0]) < 5,
    reason="generate of transformers 4 repeats frames for its beams, not videos: a beam sees other clips' frames",
)
@pytest.mark.parametrize("constrained", [False, True])
def test_beams_are_generates_own(model, processor, inputs, tree, constrained):
    tokenizer = processor.tokenizer
    longest = max(map(len, tree.answers))
    prompt = inputs["input_ids"].shape[1]
    plain = model.generate(
        **inputs,
        num_beams=5,
        num_return_sequences=5,
        length_penalty=0.0,
        do_sample=False,
        max_new_tokens=longest if constrained else max(16, longest),
        prefix_allowed_tokens_fn=inside(tree, prompt) if constrained else None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    sequences, scores = beams(model, tokenizer, inputs, tree, {}, constrained)
    assert sequences.shape[:2] == scores.shape == (3, 5)
    assert torch.equal(sequences.flatten(0, 1), plain.sequences[:, prompt:])
    torch.testing.assert_close(scores.flatten(), plain.sequences_scores, atol=1e-4, rtol=0)


def test_answers_are_the_beams_with_equal_texts_merged(model, processor, inputs, tree):
    sequences, scores = beams(model, processor.tokenizer, inputs, tree, {}, constrained=False)
    answers = beam_search(model, processor.tokenizer, inputs, tree, {}, constrained=False)
    for row, tokens, row_scores in zip(answers, sequences, scores, strict=True):
        texts = [" ".join(text.split()) for text in processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)]
        assert {answer.gloss for answer in row} == set(texts)
        assert len(row) == len(set(texts))
        assert row == sorted(row, key=lambda answer: -answer.log_prob)
        assert row[0].log_prob == pytest.approx(float(row_scores.max()))


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


def test_scores_that_are_no_numbers_are_answers_that_show_it(model, processor, inputs, tree):
    broken = dict(inputs, pixel_values=torch.full_like(inputs["pixel_values"], torch.nan))
    for constrained in (False, True):
        for row in beam_search(model, processor.tokenizer, broken, tree, {}, constrained):
            assert any(answer.log_prob != answer.log_prob for answer in row)
