import json

import numpy as np
import pytest

from data_engineering.errors import ConfigError, RunError
from data_engineering.reasons import ClipError
from signvlm.calibration import Calibration, Uncalibrated
from signvlm.evaluation.synonyms import Synonyms

MODES = ["beam", "beam_constrained", "exact"]


@pytest.fixture
def run(evaluated, tmp_path):
    """Evaluates the colour recogniser, some arguments replaced."""

    def call(**changed):
        return evaluated(tmp_path, **changed)

    return call


def written(results) -> dict:
    return json.loads(results.path.read_text())


def test_the_file_holds_what_the_contract_names(run, dataset, recogniser):
    data = written(run())
    assert data["version"] == 2
    assert data["split"] == "test"
    assert list(data["summary"]) == MODES
    for figures in data["summary"].values():
        assert {
            "top1",
            "top1_all",
            "top5",
            "top10",
            "per_class_top1",
            "per_class_top10",
            "macro_f1",
            "mean_rank",
            "mrr",
            "per_gloss",
            "per_signer",
            "latency",
            "peak_memory_bytes",
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
    assert results.path.name == "evaluation_results_limit.json"
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
        "predictions_validation.csv",
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


class Dies:
    """Answers as another does, until it has been asked about too many clips."""

    def __init__(self, recogniser, after: int) -> None:
        self.recogniser, self.left = recogniser, after
        self.glossary, self.modes = recogniser.glossary, recogniser.modes

    def answer(self, clips, mode):
        self._count(clips)
        return self.recogniser.answer(clips, mode)

    def log_probs(self, clips):
        return self.recogniser.log_probs(clips)

    def _count(self, clips):
        self.left -= len(clips)
        if self.left < 0:
            raise MemoryError("out of memory")


def test_a_run_that_dies_leaves_the_earlier_results_and_goes_on_where_it_stopped(run, recogniser, tmp_path):
    before = run()
    earlier = before.path.read_bytes()
    with pytest.raises(MemoryError):
        run(recognizer=Dies(recogniser, after=60))  # two ways of answering, so 30 of 60 clips
    assert before.path.read_bytes() == earlier
    kept = (tmp_path / "evaluation_partial.jsonl").read_text().splitlines()
    assert len(kept) == 1 + 28
    resumed = run(recognizer=Dies(recogniser, after=64))  # not enough for all of them
    assert resumed.data["clips"] == before.data["clips"]
    assert not (tmp_path / "evaluation_partial.jsonl").exists()


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        ({}, {}, 28),
        ({}, {"key": "other weights"}, 0),
        ({}, {"modes": ("beam", "beam_constrained")}, 0),
        ({"limit": 50}, {"limit": 50}, 28),
        ({"limit": 50}, {"limit": 50, "seed": 1}, 0),
    ],
)
def test_only_answers_of_the_very_same_run_are_gone_on_with(run, recogniser, first, second, kept):
    with pytest.raises(MemoryError):
        run(recognizer=Dies(recogniser, after=60), **first)  # two ways of answering, seven clips at once
    counts = Dies(recogniser, after=1000)
    readable = sum("unreadable" not in clip for clip in run(recognizer=counts, **second).data["clips"])
    assert 1000 - counts.left == 2 * (readable - kept)


def test_a_file_that_vanishes_meanwhile_counts_as_unreadable(run, dataset, monkeypatch):
    from signvlm.evaluation.clips import SplitClips

    def frames(self, index, read=SplitClips.frames):
        if index == 3:
            raise ClipError("missing", "the file is gone")
        return read(self, index)

    monkeypatch.setattr(SplitClips, "frames", frames)
    results = run()
    clip = results.data["clips"][3]
    assert clip["unreadable"] == "missing: the file is gone"
    assert clip["exact"] == []
    assert results.summary["exact"]["unreadable"] == 2
    assert results.summary["exact"]["coverage"] == pytest.approx(59 / 64)


def test_every_look_at_a_split_is_counted(run):
    assert [run().data["run"]["times"] for _ in range(3)] == [1, 2, 3]
    assert "asked for this run 4 times" in run().report.read_text()


def test_latency_and_memory_are_those_of_each_mode(run):
    figures = run().summary["exact"]
    assert 0 < figures["latency"]["median"] <= figures["latency"]["p95"]
    assert figures["seconds"] == pytest.approx(60 * figures["seconds_per_clip"])
    assert figures["peak_memory_bytes"] > 1e7
    assert figures["peak_memory_of"]


def test_synonyms_are_right_beside_the_strict_figures(run):
    results = run(synonyms=Synonyms((("red", "orange"), ("blue", "green")), "a test"))
    strict, kind = results.summary["exact"], results.summary["exact"]["synonym_aware"]
    assert kind["top1"] >= strict["top1"]
    assert kind["clips"] == 37  # of red, blue and green, the unreadable one included
    assert kind["intervals"]["top1"][0] <= kind["top1"] <= kind["intervals"]["top1"][1]
    assert "synonyms right" in results.table()
    assert run().summary["exact"]["synonym_aware"] is None


def test_phonology_gives_minimal_pairs_and_parameters(run):
    signs = {"red": {"hand": "1", "place": "a"}, "green": {"hand": "1", "place": "b"}, "blue": {"hand": "2"}}
    phonology = {"file": "signs.yaml", "signs": signs, "pairs": [["red", "green", "place"]]}
    figures = run(phonology=phonology).summary
    assert figures["exact"]["minimal_pairs"]["by_parameter"]["place"]["choices"] == 25
    assert figures["exact"]["parameters"]["hand"]["clips"] == 37
    assert figures["beam"]["parameters"]["place"]["clips"] == 25
    assert figures["beam"]["minimal_pairs"] is None
    assert run().summary["exact"]["parameters"] is None


def test_the_temperature_is_asked_for_once_the_clips_are_answered(run):
    seen = []

    def calibrate(clips):
        seen.extend(clips)
        return Calibration(2.0, "95 validation clips")

    results = run(calibrate=calibrate)
    assert len(seen) == 60
    assert results.summary["exact"]["calibration"]["temperature"] == 2
    assert results.summary["beam"]["calibration"] is None
    assert "fitted on 95 validation clips" in results.table()
    assert "no temperature was fitted" in run().table()


def test_where_no_temperature_could_be_fitted_it_is_said_why(run):
    results = run(calibrate=lambda clips: Uncalibrated("of 95 validation clips every clip was right"))
    data = written(results)
    assert data["calibration"] is None
    assert data["not_calibrated"] == "of 95 validation clips every clip was right"
    assert data["summary"]["exact"]["calibration"]["calibrated"] is None
    told = "no temperature was fitted: of 95 validation clips every clip was right"
    assert told in results.table()
    assert f"not a calibrated confidence: {told}" in results.report.read_text()
    assert f"Not calibrated: {told}" in results.report.read_text()


def unnamed(rows, first: int):
    """The rows, the first of them without a signer."""
    return rows.map(lambda row, index: {"signer_id": "" if index < first else row["signer_id"]}, with_indices=True)


def test_clips_that_name_no_signer_are_nobodys_and_it_is_said(run, dataset):
    results = run(rows=unnamed(dataset, 20))
    figures = results.summary["exact"]
    assert (figures["signers"], figures["signer_unknown"]) == (2, 20)
    assert sorted(figures["per_signer"]["of"]) == ["2", "3"]
    assert "whole signers (2) and of single clips that name none (20)" in figures["interval_methods"]["top1"]
    said = "20 clips name no signer: drawn singly for the intervals, and in no signer's figures."
    assert said in results.table()
    assert said.replace("'", "&#39;") in results.report.read_text()
    assert "<h3>2 signers</h3>" in results.report.read_text()


def test_where_nobody_is_named_no_signer_is_claimed(run, dataset, unreadable):
    nobody = [{**row, "signer_id": ""} for row in unreadable]
    results = run(rows=unnamed(dataset, 60), unreadable=nobody, missing=[])
    figures = results.summary["exact"]
    assert (figures["signers"], figures["signer_unknown"], figures["per_signer"]["of"]) == (0, 61, {})
    assert "no clip names its signer" in figures["interval_methods"]["top1"]
    page = results.report.read_text()
    assert "61 clips: clearly above chance" in page
    assert "signer " not in page.split("<h2>Most confused signs</h2>")[1].split("<h2>By gloss and by signer</h2>")[0]


def test_the_interval_of_mrr_holds_it_where_no_first_answer_is_right(run, recogniser, dataset):
    class AlwaysSecond:
        """Ranks the nearest colour second, behind its neighbour in the glossary."""

        glossary, modes = recogniser.glossary, recogniser.modes

        def log_probs(self, clips):
            first = recogniser.log_probs(clips).argmax(axis=1)
            scores = np.full((len(clips), len(self.glossary)), -9.0, dtype=np.float32)
            scores[np.arange(len(clips)), first] = -1
            scores[np.arange(len(clips)), (first + 1) % len(self.glossary)] = -0.5
            return scores

    known = [
        index
        for index, row in enumerate(dataset)
        if recogniser.answer([frames_of(row)], "exact")[0][0].gloss == row["gloss"]
    ]
    only = {"modes": ["exact"], "unreadable": [], "missing": []}
    figures = run(recognizer=AlwaysSecond(), rows=dataset.select(known), **only).summary["exact"]
    assert (figures["top1"], figures["mrr"]) == (0, 0.5)
    for name, (low, high) in figures["intervals"].items():
        assert low <= figures[name] <= high, name


def test_the_wlasl_authors_figures_leave_out_what_they_could_not_read(run):
    results = run(protocol="wlasl-official")
    official, ours = results.summary["exact"]["protocol"], results.summary["exact"]
    assert official["clips"] == 60
    assert official["top1_per_instance"] == pytest.approx(ours["top1"] * 61 / 60)
    assert "As the WLASL authors compute it, over 60 clips" in results.table()
    assert run().summary["exact"]["protocol"] is None


def test_an_unknown_mode_is_refused_before_anything_is_asked(run, tmp_path):
    class OnlyExact:
        glossary, modes = ("a", "b"), ("exact",)

    with pytest.raises(ConfigError, match=r"evaluation.modes: .*'beam'; choose from exact"):
        run(recognizer=OnlyExact())
    with pytest.raises(ConfigError, match=r"evaluation.modes: empty"):
        run(modes=[])
    assert not list(tmp_path.iterdir())


def test_a_split_without_a_readable_clip_is_refused(run, dataset):
    with pytest.raises(RunError, match="test: no readable clip"):
        run(rows=dataset.select([]))


def test_a_score_that_is_not_a_number_ends_the_run(run, recogniser, tmp_path):
    class Diverged:
        glossary, modes = recogniser.glossary, recogniser.modes

        def log_probs(self, clips):
            return np.full((len(clips), len(self.glossary)), np.nan)

    with pytest.raises(RunError, match="100: the score of 'red' is not a number"):
        run(recognizer=Diverged(), modes=["exact"])
    assert not list(tmp_path.glob("evaluation_results*"))


def test_a_gloss_ruled_out_altogether_stays_valid_json(run, recogniser):
    class Certain:
        glossary, modes = recogniser.glossary, recogniser.modes

        def log_probs(self, clips):
            return np.array([[-1.0 if gloss == "red" else -np.inf for gloss in self.glossary] for _ in clips])

    data = written(run(recognizer=Certain(), modes=["exact"]))
    assert data["clips"][0]["exact"][1]["log_prob"] is None


def test_one_clip_of_one_signer_is_enough(run, dataset):
    results = run(rows=dataset.select([0]), unreadable=[], missing=[])
    assert results.summary["exact"]["coverage"] == 1
    assert results.report.exists()


def test_a_limited_run_may_draw_nothing_but_an_unreadable_clip(run, dataset):
    drawn = [run(rows=dataset.select([0]), limit=1, seed=seed, modes=["exact"]) for seed in range(8)]
    assert {"unreadable" in results.data["clips"][0] for results in drawn} == {True, False}
    assert all(len(results.data["clips"]) == 1 for results in drawn)
