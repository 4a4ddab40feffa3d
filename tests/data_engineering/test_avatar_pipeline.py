"""The avatar's dataset as the pipeline meets it: validated and preprocessed as it lies, and fetched from a server."""

import json
from collections import Counter

import av
import numpy as np
import pytest
from loopback import loopback

from data_engineering.attempts import trimmed
from data_engineering.clip import Manifests, read_json, video_path
from data_engineering.download import download
from data_engineering.frames import load_frames
from data_engineering.preprocess import preprocess
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.splits import leakage
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.signs import load_signs
from data_engineering.validate import validate
from data_engineering.wlasl import read_index

PROMPT = "Which sign is this?"
SHOWN = PreprocessSettings(num_frames=4, size=32, workers=1)
# What validation must say of each kind of broken file.
REASONS = {
    "empty": "empty",
    "page": "html",
    "noise": "not_video",
    "headless": "moov_missing",
    "stub": "undecodable no_frames truncated too_short",
    "black": "black",
    "short": "too_short",
}
BROKEN = {"train": ("page", "headless", "black", "short"), "validation": ("empty",), "test": ("noise", "stub")}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A data root with everything in it, and a server that has its files under the addresses of its index."""
    root = tmp_path_factory.mktemp("avatar")
    with loopback() as server:
        recipe = Recipe(
            known_signs(("MOTHER", "FATHER"), load_signs()),
            {"train": 2, "validation": 1, "test": 1},
            clips_per_cell=3,
            seed=20,
            broken=BROKEN,
            compilations=0.4,
            duplicates=0.1,
            across_splits=0.5,
            size=96,
            base_url=server.base,
        )
        summary = render_dataset(recipe, root, root / "index.json", workers=2, progress=False)
        for path in (root / "raw_videos").iterdir():
            server.serve(f"/{path.name}", path.read_bytes())
        yield root, summary, server


@pytest.fixture(scope="module")
def validated(served):
    root, summary, _ = served
    data = DataSettings(root=root, index=root / "index.json", phonology=root / "phonology.yaml")
    report = validate(data, DownloadSettings(), ValidateSettings(workers=1), SHOWN, PROMPT, progress=False)
    return data, summary, report


def truths(root):
    return {line["video_id"]: line for line in map(json.loads, (root / "avatar.jsonl").read_text().splitlines())}


def frames_of(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_it_holds_what_the_stages_have_to_cope_with(served):
    _, summary, _ = served
    assert len(summary.compiled) >= 6
    assert len(summary.copies) == 3
    assert len(summary.across) == 1
    assert summary.mislabelled
    assert sorted(summary.broken.values()) == sorted(REASONS)


def test_validation_takes_every_sound_clip_and_tells_what_broke_the_others(validated):
    data, summary, report = validated
    corrupted = read_json(Manifests(data.root).corrupted, "")
    assert {row["video_id"] for row in corrupted} == set(summary.broken)
    for row in corrupted:
        assert row["reason"] in REASONS[summary.broken[row["video_id"]]].split(), row
    assert report.counts["clips validated"] == sum(summary.clips.values()) - len(summary.broken)
    assert report.counts["missing"] == 0


def test_a_compiled_clip_is_kept_where_it_was_filmed(validated):
    data, summary, _ = validated
    known = truths(data.root)
    rows = {row["video_id"]: row for row in read_json(Manifests(data.root).validated, "")}
    for video_id in summary.compiled:
        truth, media = known[video_id], rows[video_id]["media"]
        assert abs(media["start"] - truth["first_frame"] / truth["fps"]) <= 0.02 + 1 / truth["fps"]
        assert abs(media["frames"] - truth["frames"]) <= 2


def test_leakage_counts_the_copies_and_nothing_else(validated):
    data, summary, _ = validated
    found = leakage(read_json(Manifests(data.root).validated, ""))
    assert found["same_file"]["groups"] == len(summary.copies)
    assert found["same_file"]["across"] == len(summary.across)
    assert found["same_cut"]["groups"] == 1, "the copy under another gloss has its original's address"


def test_preprocessing_stores_every_sound_clip(validated):
    data, summary, _ = validated
    assert preprocess(data, SHOWN, progress=False).counts["clips"] == sum(summary.clips.values()) - len(summary.broken)
    stored = load_frames(data.root, SHOWN)
    for split, total in summary.clips.items():
        spoiled = sum(truths(data.root)[video_id]["split"] == split for video_id in summary.broken)
        assert len(stored[split]) == total - spoiled
    glosses = {
        name: gloss for rows in stored.values() for name, gloss in zip(rows["clip_id"], rows["gloss"], strict=True)
    }
    original = summary.copies[summary.mislabelled]
    assert {glosses[summary.mislabelled], glosses[original]} == {"mother", "father"}


def test_download_gets_the_same_clips_from_a_server(served, tmp_path):
    root, summary, server = served
    server.asked.clear()
    data = DataSettings(root=tmp_path, index=root / "index.json")
    polite = DownloadSettings(pause=0.0, timeout=5.0, retries=0, allow_hosts=("127.0.0.1",))
    download(data, polite, PROMPT, progress=False)
    known = truths(root)
    addresses = {clip.url.removeprefix(server.base) for clip in read_index(data.index).clips}
    assert len(addresses) < len(known), "a compilation has one address, and so has the copy under another gloss"
    assert Counter(server.asked) == dict.fromkeys(addresses, 1)

    assert set(trimmed(tmp_path)) == set(summary.compiled)
    for video_id, truth in known.items():
        there = video_path(tmp_path, video_id)
        if video_id in summary.compiled:
            first, last = truth["first_frame"], truth["first_frame"] + truth["frames"]
            expected, got = frames_of(video_path(root, video_id))[first:last], frames_of(there)
            assert abs(len(got) - len(expected)) <= 2
            middle = len(expected) // 2
            nearest = min(
                np.abs(frame.astype(float) - expected[middle]).mean() for frame in got[middle - 2 : middle + 3]
            )
            assert nearest < 4
        elif truth["broken"] in ("empty", "page", "noise", "headless", "stub"):
            assert not there.exists(), "no video, or not the whole of one: refused as it came"
        else:
            assert there.read_bytes() == video_path(root, video_id).read_bytes()
