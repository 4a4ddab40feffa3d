"""Every gloss's exact score against brute force, and the tree under it."""

import numpy as np
import pytest
import torch
from glosses import GLOSSARY, brute_force

from data_engineering.errors import ConfigError
from signvlm.vlm.ranking import rank
from signvlm.vlm.tree import TokenTree


@pytest.mark.parametrize("chunk_size", [3, 256])
def test_every_gloss_scores_as_it_does_by_brute_force(model, processor, inputs, tree, chunk_size):
    expected = brute_force(model, processor.tokenizer, inputs)
    assert expected.std() > 0.1  # or agreement would say nothing
    torch.testing.assert_close(rank(model, inputs, tree, chunk_size), expected, atol=1e-4, rtol=0)


def test_glosses_of_a_large_glossary_score_as_they_do_by_brute_force(model, processor, inputs):
    rng = np.random.default_rng(0)
    words = sorted({"".join(rng.choice(list("abcde"), rng.integers(1, 7))) for _ in range(2000)})
    scores = rank(model, inputs, TokenTree.build(words, processor.tokenizer))
    asked = rng.choice(len(words), 6, replace=False)
    expected = brute_force(model, processor.tokenizer, inputs, [words[i] for i in asked])
    torch.testing.assert_close(scores[:, asked], expected, atol=1e-4, rtol=0)


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


def test_a_node_sees_itself_and_its_ancestors(tree):
    nodes = np.arange(len(tree.tokens))
    sees = tree.sees(nodes, np.append(nodes, len(nodes)))  # the last column is no node
    for node in nodes:
        assert np.flatnonzero(sees[node]).tolist() == tree.ancestry(int(node))


def test_the_edges_out_of_a_node_are_its_children_and_the_ends_there(tree):
    count = len(tree.tokens)
    asked = np.array([int(tree.ends[0]), 0, int(tree.ends[1])])
    places, rows = tree.outgoing(asked)
    for row, node in enumerate(asked):
        reached = tree.edges[places[rows == row], 2].tolist()
        children = np.flatnonzero(tree.parents == node).tolist()
        assert sorted(reached) == children + [count + g for g, end in enumerate(tree.ends) if end == node]


def test_a_gloss_without_tokens_or_twice_is_refused(processor):
    with pytest.raises(ConfigError, match="has no token"):
        TokenTree.build(["book", ""], processor.tokenizer)
    with pytest.raises(ConfigError, match="the same tokens"):
        TokenTree.build(["book", "book"], processor.tokenizer)
