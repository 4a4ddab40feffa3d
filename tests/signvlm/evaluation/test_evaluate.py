import json
from pathlib import Path

import numpy as np
import pytest

from data_engineering.errors import ConfigError, RunError
from signvlm.evaluation.evaluate import evaluate
from signvlm.recognizer import Answer

MODES = ["beam", "beam_constrained", "exact"]
CONTEXT = {"command": "signvlm eval", "config": {"data": {"root": Path("data")}}, "hardware": {"device": "cpu"}}


@pytest.fixture
def run(recogniser, dataset, unreadable, missing, tmp_path):
    """Evaluates the colour recogniser, some arguments replaced."""

    def call(**changed):
        arguments = {
            "recognizer": recogniser,
            "dataset_split": dataset,
            "split": "test",
            "unreadable": unreadable,
            "missing": missing,
            "out": tmp_path,
            "modes": MODES,
            "batch_size": 7,
            "limit": None,
            "bootstrap_samples": 200,
            "seed": 0,
            "context": CONTEXT,
            "progress": False,
        }
        return evaluate(**arguments | changed)

    return call


def written(results) -> dict:
    return json.loads(results.path.read_text())


def test_the_file_holds_what_the_contract_names(run, dataset, recogniser):
    data = written(run())
    assert data["version"] == 1
    assert data["split"] == "test"
    assert list(data["summary"]) == MODES
    for figures in data["summary"].values():
        assert {
            "top1",
            "top1_all",
            "top5",
            "per_class_top1",
            "intervals",
            "coverage",
            "clips",
            "missing",
            "unreadable",
            "seconds",
        } <= set(figures)
    clip = data["clips"][0]
    assert {"clip_id", "gloss", "signer_id", *MODES} == set(clip)
    assert [each["gloss"] for each in clip["exact"]] == [
        answer.gloss for answer in recogniser.answer([frames_of(dataset[0])], "exact")[0]
    ]
    assert sorted(each["log_prob"] for each in clip["exact"]) == [each["log_prob"] for each in clip["exact"]][::-1]
    assert data["run"]["command"] == "signvlm eval"
    assert data["run"]["config"] == {"data": {"root": "data"}}


def frames_of(row) -> np.ndarray:
    return np.frombuffer(row["frames"], np.uint8).reshape(row["shape"])


def test_the_figures_follow_from_the_clips_in_the_file(run):
    data = written(run())
    for mode, figures in data["summary"].items():
        first = [clip[mode][0] if clip[mode] else None for clip in data["clips"]]
        right = [
            (each["gloss"] if isinstance(each, dict) else each) == clip["gloss"]
            for each, clip in zip(first, data["clips"], strict=True)
            if each
        ]
        assert figures["clips"] == 61
        assert figures["top1"] == pytest.approx(sum(right) / 61)
        assert figures["top1_all"] == pytest.approx(sum(right) / 64)
        assert figures["coverage"] == pytest.approx(60 / 64)
        assert figures["intervals"]["top1"][0] <= figures["top1"] <= figures["intervals"]["top1"][1]


def test_an_unreadable_clip_is_listed_with_its_reason_and_counts_as_wrong(run):
    with_it, without = run(), run(unreadable=[])
    [clip] = [clip for clip in with_it.data["clips"] if "unreadable" in clip]
    assert clip == {
        "clip_id": "90001",
        "gloss": "red",
        "signer_id": "2",
        "unreadable": "moov_missing: moov atom not found",
        **{mode: [] for mode in MODES},
    }
    assert with_it.summary["exact"]["top1"] == pytest.approx(without.summary["exact"]["top1"] * 60 / 61)


def test_missing_clips_are_listed_and_only_lower_top1_all(run):
    with_them, without = run(), run(missing=[])
    assert [clip["clip_id"] for clip in with_them.data["missing"]] == ["91000", "91001", "91002"]
    assert with_them.summary["exact"]["top1"] == without.summary["exact"]["top1"]
    assert with_them.summary["exact"]["top1_all"] < without.summary["exact"]["top1_all"]


def test_generated_duplicates_are_merged_and_foreign_answers_counted(run):
    results = run()
    for clip in results.data["clips"]:
        assert len(set(clip["beam"])) == len(clip["beam"])
    assert results.summary["beam"]["out_of_glossary"] > 0
    assert results.summary["beam_constrained"]["out_of_glossary"] == 0
    assert results.summary["beam"]["mean_rank"] is None
    assert 1 <= results.summary["exact"]["mean_rank"] < 3


def test_a_gloss_without_clips_is_left_out_and_said(run):
    results = run()
    assert results.summary["exact"]["classes_without_clips"] == ["orange"]
    assert results.summary["exact"]["classes"] == 5
    assert "1 gloss without a clip here and left out of per class: orange" in results.table()


@pytest.mark.parametrize("batch_size", [1, 60, 1000])
def test_the_batch_size_changes_nothing(run, batch_size):
    assert run(batch_size=batch_size).data["clips"] == run().data["clips"]


def test_a_limited_run_says_so_and_claims_no_top1_all(run):
    results = run(limit=10)
    assert len(results.data["clips"]) == 10
    for figures in results.summary.values():
        assert figures["limited"] == "10 of 61"
        assert figures["top1_all"] is None
        assert "top1_all" not in figures["intervals"]
        assert figures["coverage"] == pytest.approx(60 / 64)
    assert "10 of 61" in results.table()
    assert results.data["clips"] == run(limit=10).data["clips"]
    assert run(limit=1000).summary["exact"]["limited"] is None


def test_another_split_gets_its_name_as_suffix(run, tmp_path):
    run(split="validation")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "evaluation_results_validation.json",
        "report_validation.html",
    ]


def test_the_table_is_one_plain_block_for_a_terminal(run):
    lines = run().table().splitlines()
    assert lines[0].split()[0] == "mode"
    assert [line.split()[0] for line in lines[2:5]] == MODES
    assert lines[6].split()[:3] == ["chance", "16.7", "%"]
    assert any(
        "Coverage 93.8 %: of 64 indexed clips 3 missing (wrong in top-1 all) and 1 unreadable" in line for line in lines
    )
    assert all(line.isascii() for line in lines)


def test_a_run_that_dies_leaves_the_earlier_results_as_they_were(run, recogniser, tmp_path):
    before = run().path.read_bytes()

    class Dies:
        glossary, modes = recogniser.glossary, recogniser.modes

        def answer(self, clips, mode):
            if mode == "exact":
                raise MemoryError("out of memory")
            return recogniser.answer(clips, mode)

    with pytest.raises(MemoryError):
        run(recognizer=Dies())
    assert (tmp_path / "evaluation_results.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["evaluation_results.json", "report.html"]


def test_an_unknown_mode_is_refused_before_anything_is_asked(run, tmp_path):
    with pytest.raises(ConfigError, match=r"evaluation.modes: .*'greedy'; choose from beam, beam_constrained, exact"):
        run(modes=["greedy"])
    with pytest.raises(ConfigError, match=r"evaluation.modes: empty"):
        run(modes=[])
    assert not list(tmp_path.iterdir())


def test_a_split_without_a_readable_clip_is_refused(run, dataset):
    with pytest.raises(RunError, match="test: no readable clip"):
        run(dataset_split=dataset.select([]))


def test_a_score_that_is_not_a_number_ends_the_run(run, recogniser, tmp_path):
    class Diverged:
        glossary, modes = recogniser.glossary, recogniser.modes

        def answer(self, clips, mode):
            return [[Answer(gloss, float("nan")) for gloss in self.glossary] for _ in clips]

    with pytest.raises(RunError, match="100: the score of 'red' is not a number"):
        run(recognizer=Diverged(), modes=["exact"])
    assert not list(tmp_path.iterdir())


def test_a_gloss_ruled_out_altogether_stays_valid_json(run, recogniser):
    class Certain:
        glossary, modes = recogniser.glossary, recogniser.modes

        def answer(self, clips, mode):
            return [[Answer(gloss, -1.0 if gloss == "red" else -np.inf) for gloss in self.glossary] for _ in clips]

    data = written(run(recognizer=Certain(), modes=["exact"]))
    assert data["clips"][0]["exact"][1]["log_prob"] is None


def test_one_clip_of_one_signer_is_enough(run, dataset):
    results = run(dataset_split=dataset.select([0]), unreadable=[], missing=[])
    assert results.summary["exact"]["coverage"] == 1
    assert results.report.exists()


def test_a_limited_run_may_draw_nothing_but_an_unreadable_clip(run, dataset):
    drawn = [run(dataset_split=dataset.select([0]), limit=1, seed=seed, modes=["exact"]) for seed in range(8)]
    assert {"unreadable" in results.data["clips"][0] for results in drawn} == {True, False}
    assert all(len(results.data["clips"]) == 1 for results in drawn)
