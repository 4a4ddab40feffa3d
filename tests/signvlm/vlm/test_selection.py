"""Which model is kept: exact ranking of the validation clips, the best top-1, ties by loss, never on test clips."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from datasets import Dataset

from data_engineering.errors import ConfigError
from signvlm.config import load
from signvlm.selection import best_evaluation, check_held_out, without_gain
from signvlm.vlm.examples import UnreadableClipsError
from signvlm.vlm.selection import Asked, Ranked, Validation, rank_clips, selection_score

ANSWERS = {"no": 2, "book": 2, "thank you": 3}
CLIPS = [
    {"clip_id": str(i), "gloss": gloss, "error": None} for i, gloss in enumerate(["no", "book", "thank you", "no"])
]
SCORES = np.log([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.2, 0.3, 0.5], [0.4, 0.4, 0.2]]).astype(np.float32)


def log_probs(batch):
    return np.stack([SCORES[int(clip["clip_id"])] for clip in batch])


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_a_ranking_gives_places_and_the_loss_of_the_right_gloss(batch_size):
    asked = rank_clips(log_probs, ANSWERS, CLIPS, batch_size)
    assert [clip.number for clip in asked] == [0, 1, 2, 3]
    assert [clip.place for clip in asked] == [0, 1, 0, 0]  # of equal scores the first gloss wins, as argmax has it
    assert [clip.best for clip in asked] == [0, 0, 2, 0]
    ranked = Ranked.of(asked)
    assert (ranked.clips, ranked.top1, ranked.top5) == (4, 0.75, 1.0)
    assert ranked.loss == pytest.approx(-math.log(0.7 * 0.3 * 0.5 * 0.4) / (2 + 2 + 3 + 2), rel=1e-6)


def test_scores_that_are_no_numbers_are_never_right():
    asked = rank_clips(lambda batch: np.full((len(batch), 3), np.nan), ANSWERS, CLIPS, 4)
    assert Ranked.of(asked).top1 == Ranked.of(asked).top5 * 0 == 0


def test_a_clip_that_cannot_be_read_ends_the_ranking():
    broken = [*CLIPS[:2], CLIPS[2] | {"error": ("truncated", "3 of 40 frames decode")}]
    with pytest.raises(UnreadableClipsError, match="2: truncated"):
        rank_clips(log_probs, ANSWERS, broken, 2)


def test_a_batch_that_does_not_fit_in_memory_is_halved_for_good(capsys):
    sizes = []

    def narrow(batch):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return log_probs(batch)

    shown = []
    validation = Validation(narrow, ANSWERS, CLIPS, 4, shown.append)
    assert validation(lambda: None).top1 == 0.75
    assert validation(lambda: None).top1 == 0.75
    assert sizes == [4, 2, *[1] * 8]
    assert [len(asked) for asked in shown] == [4, 4]
    assert "going on with evaluation.batch_size=1" in capsys.readouterr().err


def ranked(top1, loss, clips=1000):
    return Ranked(clips, top1, 1.0, loss)


def test_top1_goes_before_any_loss_and_ties_go_by_loss():
    worst_to_best = [
        ranked(0.5, math.nan),
        ranked(0.5, 9.0),
        ranked(0.5, 0.1),
        ranked(0.501, 1e6),
        ranked(0.501, 0.2),
        ranked(0.501, 0.0),
        ranked(0.502, math.inf),
    ]
    scores = list(map(selection_score, worst_to_best))
    assert scores == sorted(scores)
    assert len(set(scores)) == len(scores)


def test_a_gain_smaller_than_a_loss_is_shown_with_is_none():
    assert selection_score(ranked(0.5, 0.12344)) == selection_score(ranked(0.5, 0.12341))


HISTORY = [
    {"loss": 3.0},
    {"eval_loss": 2.0, "eval_top1": 0.5, "epoch": 1},
    {"eval_loss": 2.5, "eval_top1": 0.6, "epoch": 2},
    {"loss": 1.0},
    {"eval_loss": 2.2, "eval_top1": 0.6, "epoch": 3},
    {"eval_loss": 1.9, "eval_top1": 0.5, "epoch": 4},
    {"eval_loss": 2.2, "eval_top1": 0.6, "epoch": 5},
    {"train_loss": 2.0},
]


def test_patience_counts_from_the_best_evaluation_of_the_log():
    assert best_evaluation(HISTORY, "top1")["epoch"] == 3  # the first of equals
    assert without_gain(HISTORY, "top1") == 2
    assert best_evaluation(HISTORY, "loss")["epoch"] == 4
    assert without_gain(HISTORY, "loss") == 1
    assert without_gain(HISTORY[:2], "top1") == 0
    assert best_evaluation(HISTORY[:1], "top1") is None
    assert without_gain([], "top1") == 0


@pytest.mark.parametrize("split", ["test", "train"])
def test_another_split_than_validation_is_refused_for_selection(split):
    with pytest.raises(ConfigError, match=rf"--set selection.split={split}: selection.split should be validation: .*"):
        load("params/demo.yaml", [f"selection.split={split}"])
    load("params/demo.yaml", ["selection.split=validation"])


def corpus(validation, test):
    rows = {"validation": Dataset.from_dict({"clip_id": validation}), "test": Dataset.from_dict({"clip_id": test})}
    return SimpleNamespace(rows=rows)


def test_clips_that_are_in_the_test_split_too_are_refused_for_selection():
    check_held_out(corpus(["1", "2"], ["3"]))
    check_held_out(SimpleNamespace(rows={"validation": Dataset.from_list([]), "test": Dataset.from_list([])}))
    with pytest.raises(
        ConfigError, match=r"data\.split: 2 validation clips are test clips too, e\.g\. 2, and no model"
    ):
        check_held_out(corpus(["1", "2", "3"], ["3", "2"]))


def test_the_ranking_scores_what_the_model_computes_as_its_loss(model, processor, clips):
    """One pass over the validation clips gives both, so it must be the same loss."""
    from glosses import GLOSSARY, PROMPT

    from signvlm.vlm.collator import VideoCollator
    from signvlm.vlm.loss import answer_logits, answer_loss
    from signvlm.vlm.prompt import encode_prompts
    from signvlm.vlm.ranking import rank
    from signvlm.vlm.tree import TokenTree

    tree = TokenTree.build(GLOSSARY, processor.tokenizer)
    rows = [
        {"clip_id": str(i), "gloss": gloss, "frames": frames, "error": None}
        for i, (gloss, frames) in enumerate(zip(GLOSSARY, clips, strict=False))
    ]
    answers = dict(zip(GLOSSARY, map(len, tree.answers), strict=True))
    asked = rank_clips(
        lambda batch: rank(model, encode_prompts(processor, PROMPT, [c["frames"] for c in batch]), tree).numpy(),
        answers,
        rows,
        2,
    )
    batch = VideoCollator(processor, PROMPT)(rows)
    labels = batch.pop("labels")
    plain = answer_loss(answer_logits(model, batch, labels), labels)
    assert Ranked.of(asked).loss == pytest.approx(plain.item(), abs=1e-4)


def test_asked_clips_sort_by_their_number():
    assert sorted([Asked(1, 0, 0, 0.0, 1), Asked(0, 2, 5, -9.0, 1)])[0].number == 0
