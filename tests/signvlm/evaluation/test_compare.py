import shutil

import numpy as np
import pytest
from test_report import EVIL, Page

from data_engineering.errors import ConfigError, RunError
from signvlm.evaluation import accuracy
from signvlm.evaluation.compare import compare
from signvlm.evaluation.results import read_results, write_results
from signvlm.evaluation.side_by_side import page, text

SETTINGS = {"config": {"training": {"learning_rate": 0.001}, "data": {"root": "a"}}}
OTHERS = {"config": {"training": {"learning_rate": 0.01}, "data": {"root": "b"}}}


class Worse:
    """Sees a quarter of the frames of the other recogniser, and those through noise."""

    def __init__(self, recogniser) -> None:
        self.recogniser, self.glossary, self.modes = recogniser, recogniser.glossary, recogniser.modes

    def answer(self, clips, mode):
        return self.recogniser.answer(self._seen(clips), mode)

    def log_probs(self, clips):
        return self.recogniser.log_probs(self._seen(clips))

    def _seen(self, clips):
        noise = [np.random.default_rng(int(clip.sum())).normal(0, 60, 3) for clip in clips]
        return [np.clip(clip[:2] + each, 0, 255).astype(np.uint8) for clip, each in zip(clips, noise, strict=True)]


@pytest.fixture(scope="module")
def runs(evaluated, recogniser, dataset, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    evaluated(root / "good", context=SETTINGS)
    evaluated(root / "bad", recognizer=Worse(recogniser), context=OTHERS)
    evaluated(root / "few", rows=dataset.select(range(30)), context=SETTINGS)
    return root


def test_the_figures_and_the_test_are_of_the_same_clips(runs):
    found = compare([runs / "bad", runs / "good"])
    assert (found.mode, found.clips, found.signers, found.notes) == ("exact", 61, 3, ())
    bad, good = found.columns
    assert good.top1 == read_results(runs / "good/evaluation_results.json")["summary"]["exact"]["top1"]
    [test] = found.tests
    assert test.found.difference == pytest.approx(good.top1 - bad.top1)
    assert test.found.difference > 0
    right = [accuracy.hits(column.places, 1) for column in found.columns]
    assert test.found.second_only == int((right[1] & ~right[0]).sum())
    assert test.p_holm == test.found.p >= test.found.p_mcnemar


def test_what_was_set_differently_is_shown_and_where_it_lies_is_not(runs):
    assert compare([runs / "good", runs / "bad"]).differing == (("training.learning_rate", ("0.001", "0.01")),)


def test_every_pair_of_three_runs_is_tested_and_p_values_are_adjusted(runs):
    found = compare([runs / "good", runs / "bad", runs / "few"])
    assert [(test.first, test.second) for test in found.tests] == [("good", "bad"), ("good", "few"), ("bad", "few")]
    assert all(test.p_holm >= test.found.p for test in found.tests)


def test_runs_on_different_clips_are_compared_on_the_common_ones_and_it_is_said(runs):
    found = compare([runs / "good", runs / "few"])
    assert found.clips == 31
    assert found.tests[0].found.difference == 0
    assert any("good: 30 of its 61 clips were not asked of every run" in line for line in found.notes)
    assert "30 of its 61 clips" in text(found)
    assert "30 of its 61 clips" in page(found)


def changed(source, target, change):
    target.mkdir()
    data = read_results(source / "evaluation_results.json")
    change(data)
    write_results(target / "evaluation_results.json", data)
    return target


def test_clips_that_name_no_signer_are_nobodys_and_it_is_said(runs, tmp_path):
    def forget(data):
        for clip in data["clips"][:20]:  # those of the first of the three signers
            clip["signer_id"] = ""

    names = [changed(runs / name, tmp_path / name, forget) for name in ("good", "bad")]
    found = compare(names)
    assert (found.signers, found.signer_unknown) == (2, 20)
    for made in (text(found), page(found)):
        assert "61 clips of 2 signers of the test split" in made
        assert "20 clips name no signer" in made


def test_runs_that_share_no_clip_are_refused(runs, tmp_path):
    other = changed(runs / "good", tmp_path / "other", lambda data: [c.update(clip_id="x") for c in data["clips"]])
    with pytest.raises(RunError, match="have no clip in common"):
        compare([runs / "good", other])


def test_runs_that_disagree_on_what_a_clip_shows_are_refused(runs, tmp_path):
    other = changed(runs / "good", tmp_path / "other", lambda data: data["clips"][4].update(gloss="tea"))
    with pytest.raises(RunError, match="disagree on who signs what in clip"):
        compare([runs / "good", other])


def test_runs_with_other_glossaries_are_compared_with_a_warning(runs, tmp_path):
    other = changed(runs / "good", tmp_path / "other", lambda data: data["glossary"].append("tea"))
    assert "chose among different glosses (good 6, other 7)" in compare([runs / "good", other]).notes[0]


def test_a_call_that_cannot_work_says_why(runs, tmp_path):
    with pytest.raises(ConfigError, match="give two runs or more"):
        compare([runs / "good"])
    with pytest.raises(ConfigError, match=r"holds no evaluation_results\.json; run `signvlm eval --split test`"):
        compare([runs / "good", tmp_path])
    shutil.copy(runs / "good/evaluation_results.json", tmp_path / "evaluation_results_validation.json")
    with pytest.raises(ConfigError, match="is of the test split"):
        compare([tmp_path, tmp_path], "validation")


def test_an_adapter_or_a_file_names_its_run_too_and_equal_names_are_told_apart(runs):
    (runs / "good/adapter").mkdir(exist_ok=True)
    found = compare([runs / "good/adapter", runs / "good/evaluation_results.json"])
    assert len({column.name for column in found.columns}) == 2
    assert found.tests[0].found.difference == 0


def test_the_page_runs_nothing_loads_nothing_and_escapes_everything(runs, tmp_path):
    (tmp_path / "x").mkdir()
    evil = changed(runs / "good", tmp_path / "x" / EVIL.replace("/", "!"), lambda data: data["run"].update(OTHERS))
    made = page(compare([runs / "bad", evil, runs / "good"]))
    read = Page(made)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in read.tags}
    assert "<script" not in made.lower()
    assert not any(key in ("src", "href") for _, attributes in read.tags for key in attributes)


def test_the_table_is_plain_text(runs):
    lines = text(compare([runs / "bad", runs / "good"])).splitlines()
    assert lines[0].split()[0] == "run"
    assert lines[2].split()[0] == "bad"
    assert any(line.startswith("good - bad") for line in lines)
    assert all(line.isascii() for line in lines)
