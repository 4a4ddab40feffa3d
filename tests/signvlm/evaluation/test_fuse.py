"""Runs fused: weights from validation clips alone, evaluated and reported as every run."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax

from data_engineering.errors import ConfigError, RunError
from signvlm.config import EvaluationSettings
from signvlm.evaluation.compare import compare
from signvlm.evaluation.evaluate import Background, Split, evaluate
from signvlm.evaluation.fuse import Fusion, ScoredClips, fit_weights, fuse, fused

GLOSSES = ("no", "book", "yes")


def scored(seed: int, sharp: float, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Scores of a run that is right the more often the sharper it is, and the truth, which is the same for all."""
    truth = np.random.default_rng(1).integers(0, 3, count)
    scores = np.random.default_rng(seed).normal(0, 1, (count, 3))
    scores[np.arange(count), truth] += sharp
    return log_softmax(scores, axis=1), truth


def write_run(folder: Path, seed: int, sharp: float, glosses=GLOSSES, count: int = 60, unreadable=()) -> Path:
    """A run's results on validation and test, made by `evaluate` itself."""
    for split, shift in (("validation", 0), ("test", 50)):
        scores, truth = scored(seed + shift, sharp, count)
        about = [
            {"clip_id": f"{split}{n}", "gloss": GLOSSES[label], "signer_id": str(n % 4)}
            for n, label in enumerate(truth)
        ]
        read = [n for n in range(count) if n not in unreadable]
        lost = [{"video_id": about[n]["clip_id"], **about[n], "reason": "too_short"} for n in unreadable]
        evaluate(
            Fusion(glosses, np.ones(1)),
            Split(split, ScoredClips([about[n] for n in read], scores[read][:, None], None), lost),
            EvaluationSettings(modes=("exact",), bootstrap_samples=50, occlusion=0),
            Background(context={"identity": f"{folder.name}"}),
            folder,
            progress=False,
        )
    return folder


@pytest.fixture
def runs(tmp_path):
    return [write_run(tmp_path / "first", 3, 1.5), write_run(tmp_path / "second", 4, 1.5)]


def test_two_runs_that_err_on_other_clips_are_better_together(runs):
    done = fuse(runs)
    alone = [json.loads((run / "evaluation_results.json").read_text())["summary"]["exact"]["top1"] for run in runs]
    assert done.results.summary["exact"]["top1"] > max(alone)
    assert set(done.weights) == {"first", "second"}
    assert done.validation["fusion"] >= max(done.validation["first"], done.validation["second"])


def test_it_is_reported_as_a_run_beside_the_first(runs):
    done = fuse(runs, command="signvlm fuse first second")
    assert done.results.path == runs[0].parent / "first+second" / "evaluation_results.json"
    assert done.results.paths.predictions.is_file()
    page = done.results.report.read_text()
    assert "Runs fused with weights fitted on 60 validation clips" in page
    assert done.results.data["run"]["fused"] == done.weights
    for clip in done.results.data["clips"]:
        assert np.exp([answer["log_prob"] for answer in clip["exact"]]).sum() == pytest.approx(1, abs=1e-4)
    compared = compare([done.results.path.parent, *runs], samples=50)
    assert compared.clips == 60


def test_a_run_that_knows_nothing_counts_next_to_nothing(tmp_path):
    good, bad = (
        write_run(tmp_path / name, seed, sharp, count=300) for name, seed, sharp in [("good", 3, 2.0), ("bad", 4, 0.0)]
    )
    weights = fuse([good, bad]).weights
    assert weights["bad"] < 0.25 * weights["good"]


def test_the_weights_are_the_likeliest_near_equal_shares():
    (one, truth), (other, _) = scored(3, 1.0, 400), scored(4, 2.0, 400)
    scores = np.stack([one, other], axis=1)
    weights = fit_weights(scores, truth)
    # Of normal scores, shifted by s where a gloss is true, s times the score is the logarithm of the likelihood ratio.
    assert weights == pytest.approx([1, 2], abs=0.2)

    def loss(tried):
        likely = -fused(scores, tried)[np.arange(400), truth].mean()
        return likely + ((tried - 0.5) ** 2).sum() / 800

    for step in ([0.05, 0], [0, 0.05], [-0.05, 0.05], [-0.05, 0]):
        assert loss(weights) < loss(weights + step)


def test_where_every_clip_is_right_the_weights_stay_finite():
    scores = np.log(np.full((10, 2, 3), 1e-9))
    scores[:, :, 0] = 0
    assert np.all(fit_weights(scores, np.zeros(10, dtype=np.int64)) < 5)


def test_a_clip_that_one_run_could_not_read_is_left_to_the_other(tmp_path):
    first = write_run(tmp_path / "first", 3, 1.5)
    second = write_run(tmp_path / "second", 4, 1.5, unreadable=(0, 1))
    done = fuse([first, second])
    assert len(done.results.data["clips"]) == 60
    assert done.results.data["unreadable"] == 0


def test_a_clip_that_no_run_could_read_counts_as_wrong(tmp_path):
    done = fuse([write_run(tmp_path / name, 3, 9.0, unreadable=(0,)) for name in ("first", "second")])
    assert done.results.data["unreadable"] == 1
    assert done.results.summary["exact"]["top1"] == pytest.approx(59 / 60)


def test_what_cannot_be_fused_is_refused_with_the_next_step(runs, tmp_path):
    with pytest.raises(ConfigError, match="give two runs or more"):
        fuse(runs[:1])
    with pytest.raises(ConfigError, match="the weights are fitted on it"):
        fuse(runs, split="validation")
    with pytest.raises(ConfigError, match=r"ranks other glosses than .*, e.g. 'maybe'"):
        fuse([runs[0], write_run(tmp_path / "other", 3, 1.0, ("no", "book", "maybe"))])
    (runs[1] / "evaluation_results_validation.json").unlink()
    with pytest.raises(
        ConfigError, match=r"holds no evaluation_results_validation.json; run `signvlm eval --split val"
    ):
        fuse(runs)


def test_runs_on_other_clips_are_refused(runs, tmp_path):
    other = write_run(tmp_path / "other", 3, 1.0)
    for path in other.glob("*.json"):
        path.write_text(path.read_text().replace('"clip_id": "', '"clip_id": "x'))
    with pytest.raises(RunError, match="have no clip in common"):
        fuse([runs[0], other])


def test_the_verb_tells_the_weights(runs, tmp_path, call):
    called = call("fuse", *runs, "--out", tmp_path / "both")
    assert called.status == 0, called
    assert "first " in called.out
    assert "weight" in called.out
    assert f"  wrote    {tmp_path / 'both' / 'report.html'}" in called.out
