"""The certified best glosses against the whole glossary's exact scores."""

import numpy as np
import pytest
import torch
from glosses import GLOSSARY, PROMPT, brute_force

from signvlm.hardware import Hardware
from signvlm.recognizer import Ranking
from signvlm.vlm import certified
from signvlm.vlm.certified import best
from signvlm.vlm.ranking import rank
from signvlm.vlm.recognizer import VLMRecognizer
from signvlm.vlm.tree import TokenTree


@pytest.fixture(scope="module")
def words():
    """Made-up glosses of few letters, so that many are prefixes of others and the tree branches at every depth."""
    rng = np.random.default_rng(0)
    return sorted({"".join(rng.choice(list("abcde"), rng.integers(1, 7))) for _ in range(300)})


@pytest.fixture(scope="module")
def many(words, processor):
    return TokenTree.build(words, processor.tokenizer)


def check(found, scores, glossary, top):
    """The best are those of the exact scores, to 1e-4, and the bounds hold for all the others."""
    for result, row in zip(found, scores.double(), strict=True):
        expected = row.sort(descending=True)
        answers = result.ranking.answers
        assert len(answers) == min(top, len(glossary))
        assert [a.gloss for a in answers] == [glossary[i] for i in expected.indices[:top]]
        assert [a.log_prob for a in answers] == pytest.approx(expected.values[:top].tolist(), abs=1e-4)
        others = expected.values[top:]
        if len(others):
            assert others.max() <= result.ranking.bound + 1e-4
            assert result.ranking.rest[0] - 1e-4 <= others.logsumexp(0) <= result.ranking.rest[1] + 1e-4


@pytest.mark.parametrize("top", [5, 100])
def test_the_best_equal_brute_force(model, processor, inputs, tree, top):
    check(best(model, inputs, tree, top), brute_force(model, processor.tokenizer, inputs), GLOSSARY, top)


@pytest.mark.parametrize(("top", "chunk_size"), [(1, 1), (5, 7), (5, 256), (1000, 40)])
def test_the_best_of_many_are_found_however_small_the_rounds(model, inputs, words, many, top, chunk_size):
    check(best(model, inputs, many, top, chunk_size), rank(model, inputs, many), words, top)


def test_clips_of_unequal_prompt_length_share_a_batch(model, processor, inputs, words, many):
    shape = (len(inputs["input_ids"]), 5)
    padded = dict(inputs)
    padded["input_ids"] = torch.cat([torch.full(shape, processor.tokenizer.pad_token_id), inputs["input_ids"]], dim=1)
    padded["attention_mask"] = torch.cat([torch.zeros(shape, dtype=torch.long), inputs["attention_mask"]], dim=1)
    # The second prompt really is longer: it reads five tokens more.
    padded["input_ids"][1, :5] = inputs["input_ids"][1, 3]
    padded["attention_mask"][1, :5] = 1
    scores = rank(model, padded, many)
    check(best(model, padded, many, 5), scores, words, 5)
    torch.testing.assert_close(scores[[0, 2]], rank(model, inputs, many)[[0, 2]], atol=1e-4, rtol=0)


def test_eager_attention_finds_the_same(model, inputs, words, many):
    scores = rank(model, inputs, many)
    model.set_attn_implementation("eager")
    try:
        check(best(model, inputs, many, 5, chunk_size=40), scores, words, 5)
    finally:
        model.set_attn_implementation("sdpa")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
@pytest.mark.parametrize("tolerance", [0.3, 0.02, 1e-9])
def test_shares_are_bounded_as_closely_as_asked(model, inputs, words, many, temperature, tolerance):
    scores = rank(model, inputs, many)
    found = best(model, inputs, many, 5, temperature=temperature, tolerance=tolerance)
    ordered = best(model, inputs, many, 5)
    for result, alone, row in zip(found, ordered, scores.double(), strict=True):
        assert [answer.gloss for answer in result.ranking.answers] == [a.gloss for a in alone.ranking.answers]
        expected = (row / temperature).softmax(dim=0).sort(descending=True).values[:5]
        for (least, most), share in zip(result.ranking.shares(), expected.tolist(), strict=True):
            assert least - 1e-5 <= share <= most + 1e-5
            assert most - least <= tolerance


def test_bounds_that_are_close_enough_end_the_search(model, inputs, many):
    """Asked for nothing closer than a certainty, the search runs no more than for the order alone."""
    loose = best(model, inputs, many, 5, temperature=1.7, tolerance=1.0)
    assert [result.nodes for result in loose] == [result.nodes for result in best(model, inputs, many, 5)]


def test_what_cannot_win_is_not_run(model, inputs, many):
    for result in best(model, inputs, many, 5):
        assert result.nodes < len(many.tokens) / 2


def test_asking_for_all_runs_every_node_about_once(model, inputs, many, monkeypatch):
    """A distribution so flat that nothing can be ruled out costs what scoring everything costs."""
    for result in best(model, inputs, many, len(many.glossary)):
        assert len(many.tokens) <= result.nodes <= 1.1 * len(many.tokens)
    # Held nodes are dropped when they fill a slice, so that memory stays bounded: their ancestors run again.
    monkeypatch.setattr(certified, "FIRST_ROUND", 64)
    for result in best(model, inputs, many, len(many.glossary), chunk_size=64):
        assert len(many.tokens) < result.nodes <= 1.5 * len(many.tokens)


def test_glosses_ruled_out_altogether_are_still_ranked_when_asked_for(model, inputs, tree):
    banned = int(tree.tokens[0])
    head = model.lm_head.register_forward_hook(
        lambda module, args, logits: logits.index_fill(-1, torch.tensor([banned]), -torch.inf)
    )
    try:
        found = best(model, inputs, tree, len(GLOSSARY))
    finally:
        head.remove()
    for result in found:
        assert sorted(answer.gloss for answer in result.ranking.answers) == sorted(GLOSSARY)
        assert result.ranking.answers[-1].log_prob == -np.inf


def test_scores_that_are_no_numbers_end_the_search_and_show(model, inputs, tree):
    broken = dict(inputs, pixel_values=torch.full_like(inputs["pixel_values"], torch.nan))
    for result in best(model, broken, tree, 3):
        assert len(result.ranking.answers) == 3
        assert all(np.isnan(answer.log_prob) for answer in result.ranking.answers)


def test_the_recogniser_serves_the_best_and_all_scores(model, processor, clips):
    recognizer = VLMRecognizer(
        model,
        processor,
        prompt=PROMPT,
        glossary=GLOSSARY,
        num_frames=8,
        hardware=Hardware("cpu", "float32", False, 0, False, ()),
    )
    scores = recognizer.log_probs(clips)
    assert scores.shape == (3, len(GLOSSARY))
    assert scores.dtype == np.float32
    for ranking, row, listed in zip(recognizer.rank(clips, 2), scores, recognizer.answer(clips, "exact"), strict=True):
        expected = Ranking.of(GLOSSARY, row, 2)
        assert [a.gloss for a in ranking.answers] == [a.gloss for a in expected.answers]
        assert [a.gloss for a in listed[:2]] == [a.gloss for a in expected.answers]
        assert ranking.rest[0] <= expected.rest[0] + 1e-4
        assert ranking.rest[1] >= expected.rest[1] - 1e-4
