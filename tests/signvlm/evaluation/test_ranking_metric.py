"""The module of Hugging Face `evaluate` is this package's own file: loaded by its path, without a network."""

import evaluate
import pytest
from sklearn.metrics import accuracy_score, f1_score, recall_score

from signvlm.evaluation import ranking_metric
from signvlm.evaluation.ranking_metric import RankingMetric

ANSWERED = {"references": [0, 0, 1, 2, 2, 2], "places": [1, 3, 1, 0, 7, 1], "answers": [0, 1, 1, -1, 0, 2]}


def test_loading_the_file_with_evaluate_gives_the_same_figures(monkeypatch, tmp_path):
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    loaded = evaluate.load(ranking_metric.__file__, keep_in_memory=True, cache_dir=str(tmp_path))
    own = RankingMetric(keep_in_memory=True, cache_dir=str(tmp_path))
    assert loaded.compute(**ANSWERED) == own.compute(**ANSWERED)


def test_the_figures_are_scikit_learns(tmp_path):
    figures = RankingMetric(keep_in_memory=True, cache_dir=str(tmp_path)).compute(**ANSWERED)
    truth, first = ANSWERED["references"], ANSWERED["answers"]
    assert figures["top1"] == pytest.approx(accuracy_score(truth, first))
    assert figures["per_class_top1"] == pytest.approx(recall_score(truth, first, labels=[0, 1, 2], average="macro"))
    assert figures["macro_f1"] == pytest.approx(f1_score(truth, first, labels=[0, 1, 2], average="macro"))
    assert figures["top5"] == pytest.approx(4 / 6)
    assert figures["top10"] == pytest.approx(5 / 6)
    assert figures["mean_rank"] == pytest.approx(13 / 5)
    assert figures["mrr"] == pytest.approx((1 + 1 / 3 + 1 + 0 + 1 / 7 + 1) / 6)
