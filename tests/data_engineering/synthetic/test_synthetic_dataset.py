"""The avatar's dataset: an index that the pipeline reads, disjoint signers, and exactly the broken files asked for."""

import json
import shutil
from dataclasses import replace

import av
import numpy as np
import pytest

from data_engineering.clip import SPLITS, video_path
from data_engineering.errors import ConfigError
from data_engineering.keypoints import KEYPOINTS
from data_engineering.phonology_file import load_phonology, minimal_pairs, rows_of
from data_engineering.splits import assign, leakage
from data_engineering.synthetic.break_files import KINDS, break_file
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.reels import signer_of
from data_engineering.synthetic.signs import load_signs
from data_engineering.wlasl import read_index

GLOSSES = ("MOTHER", "YES")
BROKEN = {"train": ("headless", "page"), "validation": ("empty",), "test": ("black",)}


SMALL = {"train": 2, "validation": 1, "test": 1}


def write(folder, *, glosses=GLOSSES, workers=2, **changes):
    settings = {"signers": SMALL, "clips_per_cell": 1, "seed": 1, "broken": BROKEN, "size": 120}
    recipe = Recipe(known_signs(glosses, load_signs()), **(settings | changes))
    return render_dataset(recipe, folder, folder / "index.json", workers=workers, progress=False)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("avatar")
    return folder, write(folder)


def decodes(path):
    try:
        with av.open(str(path)) as container:
            frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    except (av.error.FFmpegError, IndexError):
        return False
    return len(frames) > 10 and max(frame.max() for frame in frames) > 40


def test_the_index_reads_back(written):
    folder, summary = written
    index = read_index(folder / "index.json")
    files = sorted(path.stem for path in (folder / "raw_videos").iterdir())
    assert not index.refused
    assert len(index.clips) == sum(summary.clips.values()) == 2 * 4
    assert {clip.gloss for clip in index.clips} == {gloss.lower().replace("-", " ") for gloss in GLOSSES}
    assert all(clip.bbox is not None and len(clip.video_id) == 5 for clip in index.clips)
    assert files == sorted(clip.video_id for clip in index.clips)


def test_the_index_has_the_keys_of_wlasl(written):
    folder, _ = written
    entries = json.loads((folder / "index.json").read_text())
    keys = [
        "bbox",
        "fps",
        "frame_end",
        "frame_start",
        "instance_id",
        "signer_id",
        "source",
        "split",
        "url",
        "variation_id",
        "video_id",
    ]
    for entry in entries:
        assert set(entry) == {"gloss", "instances"}
        assert [instance["instance_id"] for instance in entry["instances"]] == list(range(len(entry["instances"])))
        for instance in entry["instances"]:
            assert sorted(instance) == keys
            assert instance["split"] in ("train", "val", "test")
            assert instance["fps"] == 25


def test_no_one_signs_in_two_splits(written):
    folder, summary = written
    clips = read_index(folder / "index.json").clips
    people = {split: {clip.signer_id for clip in clips if clip.split == split} for split in SPLITS}
    assert [len(people[split]) for split in SPLITS] == [2, 1, 1]
    assert len(set.union(*people.values())) == 4
    assert {split: set(ids) for split, ids in summary.signers.items()} == people


def test_the_files_asked_for_are_broken_and_no_other(written):
    folder, summary = written
    clips = read_index(folder / "index.json").clips
    bad = {clip.video_id for clip in clips if not decodes(video_path(folder, clip.video_id))}
    assert bad == set(summary.broken)
    for split in SPLITS:
        kinds = sorted(summary.broken[clip.video_id] for clip in clips if clip.split == split and clip.video_id in bad)
        assert kinds == sorted(BROKEN[split])


def test_the_same_seed_writes_the_same_files_whatever_the_workers(written, tmp_path):
    folder, _ = written
    write(tmp_path, workers=1)
    assert content(tmp_path) == content(folder)


# Everything at once: compilations, copies that leak, broken files, key points, frames of one height

RECIPE = Recipe(
    known_signs(("MOTHER", "FATHER"), load_signs()),
    SMALL,
    clips_per_cell=3,
    seed=4,
    broken={"train": ("page",), "test": ("headless",)},
    compilations=0.35,
    duplicates=0.1,
    across_splits=0.5,
    size=96,
)


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    folder = tmp_path_factory.mktemp("full")
    return folder, render(folder)


def render(folder, **changes):
    settings = {"workers": 2, "keypoints": True, "resume": True, "progress": False}
    return render_dataset(RECIPE, folder, folder / "index.json", **(settings | changes))


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def truths(folder):
    return {line["video_id"]: line for line in map(json.loads, (folder / "avatar.jsonl").read_text().splitlines())}


def entries(folder):
    return {
        instance["video_id"]: instance | {"gloss": entry["gloss"]}
        for entry in json.loads((folder / "index.json").read_text())
        for instance in entry["instances"]
    }


def test_clips_of_one_file_share_its_address_and_lie_in_it_one_after_another(full):
    folder, summary = full
    assert summary.compiled
    listed, known = entries(folder), truths(folder)
    for video_id in summary.compiled:
        truth, entry = known[video_id], listed[video_id]
        first = truth["file_of"][0]
        assert entry["url"] == listed[first]["url"] == f"https://avatar.invalid/{first}.mp4"
        assert video_path(folder, video_id).read_bytes() == video_path(folder, first).read_bytes()
        assert abs((entry["frame_start"] - 1) / 25 - truth["first_frame"] / truth["fps"]) <= 0.02
        assert 0 <= (truth["first_frame"] + truth["frames"]) / truth["fps"] - entry["frame_end"] / 25 < 0.04
        assert truth["frames"] < 0.75 * truth["file_frames"]
    together = next(known[video_id]["file_of"] for video_id in summary.compiled if len(known[video_id]["file_of"]) > 1)
    place = 0
    for video_id in together:
        assert known[video_id]["first_frame"] == place
        place += known[video_id]["frames"]
    with av.open(str(video_path(folder, together[0]))) as container:
        assert sum(1 for _ in container.decode(video=0)) == place == known[together[0]]["file_frames"]


def test_copies_are_the_same_bytes_and_stated(full):
    folder, summary = full
    listed = entries(folder)
    assert len(summary.copies) == 2 + 1
    assert len(summary.across) == 1
    for copy, original in summary.copies.items():
        assert video_path(folder, copy).read_bytes() == video_path(folder, original).read_bytes()
        wrong = copy == summary.mislabelled
        assert (listed[copy]["gloss"] != listed[original]["gloss"]) == wrong
        assert (listed[copy]["url"] == listed[original]["url"]) == wrong, "only the hash tells of the others"
        assert (listed[copy]["split"] != listed[original]["split"]) == (copy in summary.across)
    shared = leakage(read_index(folder / "index.json").clips)["signers_shared"]
    assert sum(shared.values()) == 1, "a copy that leaks takes its signer along; without it, nobody is shared"


def test_the_official_style_files_name_every_clip(full):
    folder, _ = full
    listed = entries(folder)
    splits = json.loads((folder / "nslt_2.json").read_text())
    assert (folder / "class_list.txt").read_text() == "0\tmother\n1\tfather\n"
    assert set(splits) == set(listed)
    for video_id, told in splits.items():
        number, start, end = told["action"]
        assert told["subset"] == listed[video_id]["split"]
        assert listed[video_id]["gloss"] == ["mother", "father"][number]
        assert start == 1 < end
    clips = read_index(folder / "index.json").clips
    assert assign(clips, str(folder / "nslt_2.json"), 0) == {clip.video_id: clip.split for clip in clips}


def test_the_truth_of_a_clip_is_what_was_filmed(full):
    folder, summary = full
    known, shared = truths(folder), json.loads((folder / "avatar.json").read_text())
    assert set(known) == set(entries(folder))
    assert {video_id: truth["broken"] for video_id, truth in known.items() if truth["broken"]} == summary.broken
    assert shared["recipe"]["signs"]["MOTHER"]["location"] == "chin"
    assert "not ASL" in shared["notice"]
    for video_id, truth in known.items():
        signer = signer_of(4, truth["signer_id"], 96)
        assert shared["signers"][str(truth["signer_id"])]["fps"] == truth["fps"] == signer.fps
        recording, _ = record(load_signs()[truth["sign"]], signer, truth["seed"])
        assert [name for name, _, _ in truth["phases"]][1:4] == ["preparation", "stroke", "retraction"]
        assert truth["phases"][-1][2] == truth["frames"] == len(recording.phases)
        assert truth["height"] == 96
        if truth["broken"]:
            assert not (folder / "keypoints" / f"{video_id}.npz").exists()
            continue
        with np.load(folder / "keypoints" / f"{video_id}.npz") as points:
            assert points["points"].shape == (truth["frames"], len(KEYPOINTS), 2)
            np.testing.assert_array_equal(points["points"], recording.keypoints[..., :2])
            assert points["visible"].dtype == bool
            assert points["first_frame"] == truth["first_frame"]


def test_the_phonology_file_serves_data_phonology(full):
    folder, _ = full
    table = load_phonology(folder / "phonology.yaml")
    assert list(rows_of(table, ["mother", "father"])) == ["mother", "father"]
    assert minimal_pairs(table) == [("mother", "father", "location")]
    assert load_signs(folder / "phonology.yaml")["mother"] == replace(load_signs()["MOTHER"], gloss="mother")


def test_an_interrupted_call_goes_on_where_it_stopped(full, tmp_path):
    folder, made = full
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    assert render(tmp_path, workers=1).frames == 0
    for video_id in (*made.copies, *made.broken):
        video_path(tmp_path, video_id).unlink()
    (tmp_path / "index.json").unlink()
    assert 0 < render(tmp_path, workers=1).frames < made.frames
    assert content(tmp_path) == content(folder)


def test_a_folder_with_something_else_in_it_is_refused(full, tmp_path):
    folder, _ = full
    before = content(folder)
    with pytest.raises(ConfigError, match=r"made otherwise \(seed\); .*name a new folder"):
        render_dataset(replace(RECIPE, seed=5), folder, folder / "index.json", workers=1, resume=True)
    assert content(folder) == before
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and holds no dataset of the avatar; name an empty"):
        render(tmp_path)
    assert list(content(tmp_path)) == ["thesis.tex"]


def test_a_dataset_of_any_size_is_rendered_file_by_file(tmp_path, monkeypatch):
    """Stopped after the first file of 2,000, hardly more than one is there, and nothing waits to be rendered."""
    many = replace(RECIPE, signers={"train": 500, "validation": 0, "test": 0}, clips_per_cell=2, broken={}, size=64)

    class StopError(Exception):
        pass

    def stop(*_):
        raise StopError

    monkeypatch.setattr("data_engineering.synthetic.listing.clip_length", stop)
    with pytest.raises(StopError):
        render_dataset(many, tmp_path, tmp_path / "index.json", workers=1, progress=False)
    assert len(list((tmp_path / "raw_videos").glob("*.mp4"))) < 30
    assert not (tmp_path / "index.json").exists()


def test_a_signer_is_the_same_person_in_every_dataset_of_a_seed():
    assert signer_of(3, 5) == signer_of(3, 5)
    assert signer_of(3, 5) != signer_of(3, 6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"glosses": ("MOTHERS",)}, ("MOTHERS", "MOTHER")),
        ({"broken": {"test": ("melted",)}}, ("melted", "headless")),
        ({"broken": {"exam": ("empty",)}}, ("exam", "validation")),
        ({"broken": {"test": ("empty",) * 99}}, ("test", "99")),
    ],
)
def test_a_wrong_call_is_refused_before_anything_is_written(tmp_path, changes, words):
    with pytest.raises(ConfigError) as refusal:
        write(tmp_path, **changes)
    assert all(word in str(refusal.value) for word in words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_broken_file_is_broken(tmp_path, kind):
    path = tmp_path / "clip.mp4"
    _, frames = record(load_signs()["YES"], signer_of(0, 1), 0)
    write_mp4(path, frames, fps=25, crf=30, width=signer_of(0, 1).width, height=signer_of(0, 1).height)
    assert decodes(path)
    break_file(path, kind)
    assert not decodes(path)
