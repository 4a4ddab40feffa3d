"""The avatar's dataset: an index that the pipeline reads, disjoint signers, and exactly the broken files asked for."""

import json

import av
import pytest

from data_engineering.clip import SPLITS, video_path
from data_engineering.errors import ConfigError
from data_engineering.synthetic.break_files import KINDS, break_file
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.dataset import signer_of, write_dataset
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.signs import load_signs
from data_engineering.wlasl import read_index

GLOSSES = ("MOTHER", "YES")
BROKEN = {"train": ("headless", "page"), "validation": ("empty",), "test": ("black",)}


def write(folder, **changes):
    settings = {
        "glosses": GLOSSES,
        "train_signers": 2,
        "validation_signers": 1,
        "test_signers": 1,
        "clips_per_cell": 1,
        "seed": 1,
        "broken": BROKEN,
        "workers": 2,
        "progress": False,
    }
    return write_dataset(folder, folder / "index.json", **(settings | changes))


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


def test_a_clip_of_a_longer_file_is_cut_where_it_lies(tmp_path):
    summary = write(tmp_path, glosses=("YES", "NO"), clips_per_cell=2, broken={}, seed=3)
    assert summary.compiled
    clips = {clip.video_id: clip for clip in read_index(tmp_path / "index.json").clips}
    for video_id in summary.compiled:
        clip = clips[video_id]
        with av.open(str(video_path(tmp_path, video_id))) as container:
            seconds = float(container.streams.video[0].duration * container.streams.video[0].time_base)
        assert 1 <= clip.frame_start < clip.frame_end <= round(seconds * 25) + 1
        assert clip.frame_end - clip.frame_start + 1 < seconds * 25 * 0.75


def test_the_same_seed_writes_the_same_files_whatever_the_workers(written, tmp_path):
    folder, _ = written
    write(tmp_path, workers=1)
    assert (tmp_path / "index.json").read_bytes() == (folder / "index.json").read_bytes()
    for path in (folder / "raw_videos").iterdir():
        assert path.read_bytes() == (tmp_path / "raw_videos" / path.name).read_bytes(), path.name


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
