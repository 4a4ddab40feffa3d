"""The results file alone rebuilds every figure, the report and the CSV; docs/evaluation_results.md names every key."""

import csv
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from data_engineering.errors import RunError
from signvlm.calibration import Calibration
from signvlm.evaluation.answers import ExactAnswers
from signvlm.evaluation.figures import summarise
from signvlm.evaluation.report import render
from signvlm.evaluation.results import paths, predictions_csv, read_results, write_results
from signvlm.evaluation.synonyms import Synonyms

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "evaluation_results.md"
SIGNS = {"red": {"hand": "1", "place": "a"}, "green": {"hand": "1", "place": "b"}}


@pytest.fixture(scope="module")
def results(evaluated, tmp_path_factory):
    return evaluated(
        tmp_path_factory.mktemp("out"),
        calibrate=lambda clips: Calibration(1.5, "95 validation clips"),
        synonyms=Synonyms((("red", "orange"),), "a test"),
        phonology={"file": "signs.yaml", "signs": SIGNS, "pairs": [["red", "green", "place"]]},
        history=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}],
        protocol="wlasl-official",
    )


def test_the_summary_is_rebuilt_from_the_file_alone(results):
    data = read_results(results.path)
    told = data.pop("summary")
    assert json.loads(json.dumps(summarise({**data, "summary": {}}))) == told


def test_the_report_is_rebuilt_from_the_file_alone(results):
    """All but the pictures: pixels are nobody's to publish, so the file holds none."""
    assert render(read_results(results.path), lambda clip_id: None) == render(results.data, lambda clip_id: None)
    page = render(read_results(results.path), lambda clip_id: None)
    assert page.count("<svg") == 2
    assert "No frames shown for this clip." in page


def test_a_file_of_many_answers_is_written_clip_by_clip(results, tmp_path):
    """Bytes as ever: indented, but a clip a line; and never the whole text in memory."""
    glossary = [f"gloss {number}" for number in range(2000)]
    answers = ExactAnswers.of_scores(glossary, np.random.default_rng(0).normal(size=2000))
    clips = [{"clip_id": str(number), "gloss": "x", "signer_id": "1", "exact": answers} for number in range(60)]
    data = {**results.data, "clips": clips}
    tracemalloc.start()
    write_results(tmp_path / "large.json", data)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    text = (tmp_path / "large.json").read_text(encoding="utf-8")
    assert most < len(text) / 3
    head = json.dumps({**results.data, "clips": None}, ensure_ascii=False, indent=1).removesuffix("null\n}")
    lines = [json.dumps({**clip, "exact": list(answers)}, ensure_ascii=False) for clip in clips]
    assert text == head + "[\n  " + ",\n  ".join(lines) + "\n ]\n}\n"


def test_a_file_that_cannot_be_finished_leaves_the_earlier_one(results, tmp_path):
    path = tmp_path / "evaluation_results.json"
    path.write_text("earlier")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_results(path, {**results.data, "clips": [{"clip_id": "1"}, {"clip_id": float("nan")}]})
    assert path.read_text() == "earlier"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_every_key_is_documented(results):
    text = DOCUMENT.read_text(encoding="utf-8")
    keys = {*results.data, *results.summary["exact"], *results.data["run"]}
    keys |= set(results.summary["exact"]["intervals"]) | set(results.summary["exact"]["protocol"])
    keys -= {"config", "hardware"} - {*text.split("`")}
    assert sorted(key for key in keys if f"`{key}`" not in text) == []
    assert "version 2" in text


def test_the_csv_has_a_line_for_each_clip_and_mode(results):
    rows = list(csv.DictReader(results.paths.predictions.open(encoding="utf-8")))
    assert len(rows) == 61 * 3 + 3
    exact = next(row for row in rows if row["mode"] == "exact" and row["state"] == "read")
    clip = next(clip for clip in results.data["clips"] if clip["clip_id"] == exact["clip_id"])
    assert exact["answer_1"] == clip["exact"][0]["gloss"]
    assert sum(float(exact[f"probability_{n}"]) for n in range(1, 6)) == pytest.approx(1, abs=0.05)
    assert [answer["gloss"] for answer in clip["exact"]][int(exact["place"]) - 1] == clip["gloss"]
    assert {row["clip_id"] for row in rows if row["state"] == "missing"} == {"91000", "91001", "91002"}
    assert [row["answer_1"] for row in rows if row["state"] == "unreadable"] == ["", "", ""]


def test_a_gloss_that_a_spreadsheet_would_run_is_quoted(results):
    evil = '=HYPERLINK("http://x.example","a")'
    clips = [{"clip_id": "1", "gloss": evil, "signer_id": "@1", "exact": [{"gloss": evil, "log_prob": -1.0}]}]
    text = predictions_csv({**results.data, "modes": ["exact"], "clips": clips, "missing": []})
    [row] = csv.DictReader(text.splitlines())
    assert row["gloss"] == row["answer_1"] == f"'{evil}"
    assert row["signer_id"] == "'@1"
    assert row["place"] == "1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("[]", "no evaluation's results"),
        ('{"version": 1}', "is of version 1, this signvlm reads version 2"),
        ('{"version": 2, "split": "test"}', "lacks summary, modes"),
    ],
)
def test_another_file_is_refused_with_the_way_out(tmp_path, text, reason):
    path = tmp_path / "evaluation_results.json"
    path.write_text(text)
    with pytest.raises(RunError, match=f"{reason}.*signvlm eval"):
        read_results(path)


def test_a_limited_run_and_another_split_have_names_of_their_own():
    names = [paths(Path("run"), split, limited=limited).json.name for split in ("test", "val") for limited in (0, 1)]
    assert len(set(names)) == 4
    assert names[0] == "evaluation_results.json"
