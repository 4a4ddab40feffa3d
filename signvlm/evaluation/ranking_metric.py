"""The accuracy figures as a module of Hugging Face `evaluate`; loads from this file, never from the Hub.

metric = evaluate.load("signvlm/evaluation/ranking_metric.py")
metric.compute(references=[0, 1], places=[1, 3], answers=[0, 2])
"""

from typing import Any

import datasets
import evaluate

from signvlm.evaluation import accuracy

KS = (1, 5, 10)
_DESCRIPTION = "Accuracy of ranked answers to clips of signs: per clip, per gloss, by rank."
_INPUTS = """
Args:
    references: The true classes.
    places: The 1-based place at which each clip's true class was answered; 0 where it was not.
    answers: The class that was answered first; -1 for none, or for one that is no class.
Returns:
    top1, top5, top10, per_class_top1, per_class_top5, per_class_top10, macro_f1, mean_rank, mrr.
"""


class RankingMetric(evaluate.Metric):
    """What `summary` takes its accuracies from; the mathematics stands in `signvlm.evaluation.accuracy`."""

    def _info(self) -> evaluate.MetricInfo:
        whole = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"references": whole, "places": whole, "answers": whole}),
        )

    def _compute(self, references: Any, places: Any, answers: Any) -> dict[str, float | None]:
        figures: dict[str, float | None] = {}
        for k in KS:
            figures[f"top{k}"] = accuracy.per_instance(accuracy.hits(places, k))
            figures[f"per_class_top{k}"] = accuracy.per_class(accuracy.hits(places, k), references)
        figures["macro_f1"] = accuracy.macro_f1(references, answers)
        figures["mean_rank"] = accuracy.mean_rank(places)
        figures["mrr"] = accuracy.mean_reciprocal_rank(places)
        return figures
