"""The loss on the answers alone is the loss that the whole computation gives, and so are its gradients."""

import copy

import pytest
import torch
from glosses import GLOSSARY, PROMPT
from torch.nn import functional

from signvlm.vlm.collator import IGNORED, VideoCollator
from signvlm.vlm.loss import Smoothing, answer_logits, answer_loss

UNEQUAL = ("a", "don't want", "größe")


@pytest.fixture
def batch(processor, clips):
    """Three clips whose answers differ in length, so that two of them are padded on the right."""
    rows = [{"clip_id": g, "gloss": g, "frames": c, "error": None} for g, c in zip(UNEQUAL, clips, strict=True)]
    made = VideoCollator(processor, PROMPT)(rows)
    assert len(set((made["labels"] != IGNORED).sum(dim=1).tolist())) > 1
    return made


def padded_on_the_left(batch, pad_token):
    """The same batch behind three columns of padding."""
    wide = {key: functional.pad(batch[key], (3, 0), value=fill) for key, fill in
            (("input_ids", pad_token), ("attention_mask", 0), ("labels", IGNORED))}  # fmt: skip
    return {**batch, **wide}


def ours(model, batch, smoothing=None):
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    return answer_loss(answer_logits(model, inputs, batch["labels"]), batch["labels"], smoothing)


def plain(model, batch, label_smoothing=0.0):
    """Every position's logits, shifted: what the libraries compute."""
    logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), label_smoothing=label_smoothing
    )


@pytest.mark.parametrize("left", [False, True], ids=["right padding", "padding on both sides"])
@pytest.mark.parametrize("label_smoothing", [0.0, 0.1])
def test_loss_and_gradients_are_those_of_the_plain_computation(model, processor, batch, left, label_smoothing):
    if left:
        batch = padded_on_the_left(batch, processor.tokenizer.pad_token_id)
    one, other = copy.deepcopy(model), copy.deepcopy(model)
    loss, expected = ours(one, batch, Smoothing(label_smoothing)), plain(other, batch, label_smoothing)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    loss.backward()
    expected.backward()
    wanted = dict(other.named_parameters())
    for name, parameter in one.named_parameters():
        if wanted[name].grad is None:
            assert parameter.grad is None, name
            continue
        scale = max(1.0, wanted[name].grad.abs().max().item())
        torch.testing.assert_close(parameter.grad, wanted[name].grad, atol=1e-5 * scale, rtol=0, msg=name)


def test_the_plain_loss_is_the_models_own(model, batch):
    with torch.no_grad():
        assert ours(model, batch).item() == pytest.approx(model(**batch).loss.item(), abs=1e-5)


def test_the_head_runs_on_the_supervised_positions_only(model, batch):
    seen = []
    hook = model.lm_head.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[:-1].numel()))
    try:
        ours(model, batch)
    finally:
        hook.remove()
    assert seen == [int((batch["labels"] != IGNORED).sum())]


def test_smoothing_over_the_glossary_spreads_over_what_may_follow(model, batch, tree):
    """By hand: each position's distribution is the right token and, with a tenth, the tree's continuations."""
    following = tree.following()
    with torch.no_grad():
        smoothed = ours(model, batch, Smoothing(0.1, following))
        logits = model(**{key: value for key, value in batch.items() if key != "labels"}).logits.log_softmax(dim=-1)
    losses = []
    for row, labels in enumerate(batch["labels"]):
        said = []
        for at in (labels != IGNORED).nonzero()[:, 0].tolist():
            allowed = following[tuple(said)]
            target = torch.zeros(logits.shape[-1])
            target[allowed] = 0.1 / len(allowed)
            target[labels[at]] += 0.9
            losses.append(-(target * logits[row, at - 1]).sum())
            said.append(int(labels[at]))
    assert any(len(following[said]) == 1 for said in following)  # there nothing is smoothed
    assert smoothed.item() == pytest.approx(torch.stack(losses).mean().item(), abs=1e-5)
    assert len(GLOSSARY) > 2


def test_an_accumulated_batch_is_divided_by_all_its_tokens(model, batch):
    with torch.no_grad():
        tokens = int((batch["labels"] != IGNORED).sum())
        inputs = {key: value for key, value in batch.items() if key != "labels"}
        logits = answer_logits(model, inputs, batch["labels"])
        whole = answer_loss(logits, batch["labels"])
        part = answer_loss(logits, batch["labels"], count=4 * tokens)
    assert part.item() == pytest.approx(whole.item() / 4, rel=1e-6)
