"""What a configuration selects: split files may say which clips there are; what lacks a split costs itself."""

import gzip
import json
import os
from pathlib import Path

import pytest
from clips import write_index

from data_engineering.clip import Manifests, write_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.settings import DataSettings
from data_engineering.splits import read_split
from data_engineering.stage import check_selection, expected, selection


def nslt(path: Path, **subsets: str) -> Path:
    path.write_text(json.dumps({name: {"subset": subset, "action": [0, 1, 9]} for name, subset in subsets.items()}))
    return path


def settings(tmp_path: Path, **changes: object) -> DataSettings:
    clips = [{"video_id": f"c{n}", "gloss": "ab"[n % 2], "split": "train"} for n in range(6)]
    data = DataSettings(root=tmp_path, index=write_index(tmp_path / "index.json", clips))
    return data.model_copy(update=changes)


def test_an_nslt_file_selects_and_splits_and_its_unknown_ids_are_a_note(tmp_path: Path) -> None:
    file = nslt(tmp_path / "nslt_1.json", c0="train", c2="val", c4="test", gone="test")
    wanted = expected(settings(tmp_path, split=str(file)))
    assert {clip.video_id: clip.split for clip in wanted.clips} == {"c0": "train", "c2": "validation", "c4": "test"}
    assert wanted.glosses == ("a",)
    assert wanted.notes == (f"1 of 4 entries of {file} are not in the index, ignored: gone",)


def test_an_nslt_file_of_other_clips_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"names none of the selected clips"):
        expected(settings(tmp_path, split=str(nslt(tmp_path / "n.json", other="train"))))


def test_one_entry_without_a_split_costs_itself_where_the_index_s_own_is_taken(tmp_path: Path) -> None:
    clips = [{"video_id": name, "gloss": "a", "split": split} for name, split in (("x", "train"), ("y", None))]
    data = DataSettings(root=tmp_path, index=write_index(tmp_path / "i.json", clips))
    wanted = expected(data)
    assert [clip.video_id for clip in wanted.clips] == ["x"]
    assert wanted.refused == (("y", "names no split, which data.split=official needs"),)


@pytest.mark.parametrize("key", ["index", "glossary", "split"])
def test_manifests_made_of_a_file_that_has_changed_since_are_refused(tmp_path: Path, key: str) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a\nb\n")
    split = nslt(tmp_path / "split.json", c0="train", c1="test")
    data = settings(tmp_path, glossary=str(words), split=str(split))
    write_json(Manifests(tmp_path).health, {"selection": selection(data)})
    check_selection(data)
    file = Path(getattr(data, key))
    file.write_text(file.read_text() + "\n")
    with pytest.raises(RunError, match=rf"{file.name} \(data\.{key}\) has changed since; run `signvlm validate`"):
        check_selection(data)
    file.unlink()
    check_selection(data)


@pytest.mark.real_clips
@pytest.mark.parametrize(
    ("count", "clips", "unknown"), [(100, 2038, 0), (300, 5117, 1), (1000, 13168, 6), (2000, 21083, 12)]
)
def test_the_nslt_files_say_what_the_index_says_itself(tmp_path: Path, count: int, clips: int, unknown: int) -> None:
    folder = Path(os.environ.get("SIGNVLM_WLASL_CLIPS", "nowhere"))
    if not (folder / "WLASL_v0.3.json.gz").exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    file = tmp_path / f"nslt_{count}.json"
    file.write_bytes(gzip.decompress((folder / f"{file.name}.gz").read_bytes()))
    data = DataSettings(root=tmp_path, index=folder / "WLASL_v0.3.json.gz", split=str(file))
    own = expected(data.model_copy(update={"split": "official", "glossary": f"first-{count}"}))
    wanted = expected(data)
    assert (wanted.clips, wanted.glosses) == (own.clips, own.glosses)
    assert len(wanted.clips) == clips == len(read_split(file).splits) - unknown
    assert [note.split()[0] for note in wanted.notes] == ([str(unknown)] if unknown else [])
