"""A folder a sign, or a list of clips, goes through every verb as an index does, and stays as it is."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from clips import write_clip
from small_world import GLOSSES, performed, write_config

Call = Callable[..., tuple[int, str, str]]
WHO = ("anna", "ben", "cleo")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """3 glosses signed by 3 people twice; one clip by nobody known, one that is no video."""
    folder = tmp_path / "my clips"
    seeds = itertools.count()
    for gloss in GLOSSES:
        for who in WHO:
            (folder / gloss / who).mkdir(parents=True)
            for take in ("0.mp4", "1.mkv"):
                write_clip(folder / gloss / who / take, frames=16, paint=performed(gloss, next(seeds)))
    write_clip(folder / "no" / "unknown.mp4", frames=16, paint=performed("no", next(seeds)))
    (folder / "no" / "page.mp4").write_text("<html>gone</html>")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_a_folder_a_sign_goes_through_every_verb_and_stays_as_it_is(
    tmp_path: Path, base: Path, own: Path, call: Call
) -> None:
    before = snapshot(own)
    config = write_config(tmp_path / "own.yaml", tmp_path / "data", base)
    options = ["--config", config, "--set", f"data.index={own}", "--set", "data.split=gloss"]
    validated = call("validate", *options)
    assert validated.status == 0, validated.err
    assert "19 clips validated, 1 corrupted, 0 missing, 20 expected" in validated.out
    assert "html" in validated.out
    assert "signers in both train and test" in validated.out
    assert "20 up to date" in call("validate", *options).out
    assert call("preprocess", *options).status == 0
    trained = call("train", *options)
    assert trained.status == 0, trained.err
    evaluated = call("eval", *options)
    assert evaluated.status == 0, evaluated.err
    (results,) = (tmp_path / "data").rglob("evaluation_results.json")
    told = json.loads(results.read_text())
    assert told["run"]["leakage"]["same_file"]["test_in_train"] == 0
    clip = own / "book" / "anna" / "0.mp4"
    predicted = call("predict", clip, *options, "--json")
    assert predicted.status == 0, predicted.err
    assert json.loads(predicted.out)["clip"] == str(clip)
    assert snapshot(own) == before
    assert not (tmp_path / "data" / "raw_videos").exists()


def test_a_saved_split_is_taken_up_again_and_a_list_may_bring_its_own(
    tmp_path: Path, base: Path, own: Path, call: Call
) -> None:
    config = write_config(tmp_path / "own.yaml", tmp_path / "data", base)
    options = ["--config", config, "--set", f"data.index={own}"]
    saved = tmp_path / "data" / "datasets" / "split.json"
    assert call("validate", *options, "--set", "data.split=signer").status == 0
    drawn = saved.read_text()
    kept = saved.rename(tmp_path / "mine.json")
    assert call("validate", *options, "--set", f"data.split={kept}").status == 2  # unknown.mp4 has no signer: not in it
    (own / "no" / "unknown.mp4").unlink()
    (own / "no" / "page.mp4").unlink()
    assert call("validate", *options, "--set", f"data.split={kept}").status == 0
    assert saved.read_text() == drawn

    listed = own / "clips.csv"
    splits = {"anna": "train", "ben": "val", "cleo": "test"}
    lines = [f"{gloss}/{who}/0.mp4,{gloss},{who},{splits[who]}" for gloss in GLOSSES for who in WHO]
    listed.write_text("\n".join(["path,gloss,signer,split", *lines, "../escape.mp4,no,anna,train"]))
    called = call("validate", "--config", config, "--set", f"data.index={listed}")
    assert called.status == 0, called.err
    assert "9 clips validated, 0 corrupted, 0 missing, 9 expected, 3 train, 3 validation, 3 test" in called.out
    assert "climbs out" in called.out
