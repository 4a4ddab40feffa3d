"""One file of a dataset: filmed, cut in the index, broken or copied as planned, and what is known of its clips."""

import dataclasses
import shutil
from importlib.metadata import version
from itertools import chain, groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from data_engineering.clip import video_path
from data_engineering.pose.rates import counted
from data_engineering.pose.record import Pose, pose_path, write_pose
from data_engineering.synthetic.break_files import break_file
from data_engineering.synthetic.clips import Recording, record
from data_engineering.synthetic.exact import exact_pose
from data_engineering.synthetic.mp4 import write_mp4
from data_engineering.synthetic.plan import Plan, Recipe, Reel
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.timing import PHASES

# WLASL counts frames at 25 a second, whatever the file's own rate.
CLOCK = 25


class Made(NamedTuple):
    """A clip that is there.

    Attributes:
        plan: What was planned.
        instance: Its entry in a WLASL-shaped index.
        truth: Its line in avatar.jsonl.
    """

    plan: Plan
    instance: dict[str, Any]
    truth: dict[str, Any]


def signer_of(seed: int, signer_id: int, height: int | None = None) -> Signer:
    """Returns a dataset's signer; the same seed and id give the same person.

    Args:
        seed: Of the dataset.
        signer_id: From 1.
        height: Of the frames in pixels, even; None for the camera that the signer has.
    """
    signer = Signer.sample(np.random.default_rng([seed, signer_id]))
    if height is None:
        return signer
    return dataclasses.replace(signer, width=2 * round(signer.width * height / signer.height / 2), height=height)


def make(reel: Reel, recipe: Recipe, root: Path, *, keypoints: bool, resume: bool) -> tuple[list[Made], int]:
    """Renders a file and whatever belongs to its clips.

    Args:
        reel: The file.
        recipe: The dataset it belongs to.
        root: Data root; files go to `<root>/raw_videos`, key points to `<root>/keypoints` and `<root>/poses`.
        keypoints: Whether to write them.
        resume: Leave a file that is there as it is.

    Returns:
        Its clips, each with its copies; and how many frames were rendered.
    """
    signer = signer_of(recipe.seed, reel.clips[0].signer_id, recipe.size)
    parts = [(plan, *record(plan.sign, signer, plan.seed)) for plan in reel.clips]
    pictures = [frames for _, _, frames in parts]
    lengths = [len(recording.phases) for _, recording, _ in parts]
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    total = sum(lengths)
    if reel.neighbour is not None:
        other, frames = record(reel.neighbour.sign, signer, reel.neighbour.seed)
        total += len(other.phases)
        pictures = [frames, *pictures] if reel.neighbour.before else [*pictures, frames]
        starts = [len(other.phases)] if reel.neighbour.before else starts

    plans = (*reel.clips, *reel.copies)
    files = [video_path(root, plan.video_id) for plan in plans]
    rendered = 0
    if not (resume and all(file.is_file() for file in files)):
        # Under a name of its own until it is whole, or broken as planned: an interrupted run leaves no half of either.
        film = files[0].with_name(f".{files[0].name}.film")
        rendered = write_mp4(
            film, chain(*pictures), fps=signer.fps, crf=signer.crf, width=signer.width, height=signer.height
        )
        if reel.clips[0].broken:
            break_file(film, reel.clips[0].broken)
        for file in files[1:]:
            _copy(film, file)
        film.replace(files[0])

    made = []
    for (plan, recording, _), start in zip(parts, starts, strict=True):
        cut = (start, start + len(recording.phases)) if reel.compiled else None
        for one in (plan, *reel.copies):  # only a file of a single clip has copies
            if keypoints and not one.broken:
                _write_keypoints(root / "keypoints" / f"{one.video_id}.npz", recording, start)
                _write_pose(pose_path(root, one.video_id), recording, start)
            entry = _instance(one, reel, recording, cut, recipe)
            made.append(Made(one, entry, _truth(one, reel, recording, start, total)))
    return made, rendered


def _copy(source: Path, target: Path) -> None:
    part = target.with_name(f".{target.name}.part")
    shutil.copyfile(source, part)
    part.replace(target)


def _instance(
    plan: Plan, reel: Reel, recording: Recording, cut: tuple[int, int] | None, recipe: Recipe
) -> dict[str, Any]:
    """The index entry; the clips of one file have one address, and so has a copy under another gloss."""
    address = reel.clips[0].video_id if reel.compiled or plan.mislabelled else plan.video_id
    start, end = cut or (0, 0)
    return {
        "bbox": list(recording.bbox),
        "fps": CLOCK,
        "frame_end": int(end / recording.fps * CLOCK) if cut else -1,
        "frame_start": 1 + round(start / recording.fps * CLOCK) if cut else 1,
        "instance_id": 0,
        "signer_id": plan.signer_id,
        "source": "avatar",
        "split": "val" if plan.split == "validation" else plan.split,
        "url": f"{recipe.base_url}/{address}.mp4",
        "variation_id": 0,
        "video_id": plan.video_id,
    }


def _truth(plan: Plan, reel: Reel, recording: Recording, start: int, total: int) -> dict[str, Any]:
    """What is known of a clip; its sign's parameters and its signer's stand once in avatar.json."""
    phases, place = [], 0
    for phase, frames in groupby(recording.phases.tolist()):
        length = len(list(frames))
        phases.append([PHASES[phase], place, place + length])
        place += length
    return {
        "video_id": plan.video_id,
        "gloss": plan.gloss,
        "sign": plan.sign.gloss,
        "split": plan.split,
        "signer_id": plan.signer_id,
        "take": plan.take,
        "seed": plan.seed,
        "fps": recording.fps,
        "width": recording.width,
        "height": recording.height,
        "frames": len(recording.phases),
        "first_frame": start,
        "file_frames": total,
        "file_of": [clip.video_id for clip in reel.clips] if reel.compiled else [],
        "phases": phases,
        "broken": plan.broken,
        "copy_of": plan.copy_of,
        "mislabelled": plan.mislabelled,
    }


def _write_keypoints(path: Path, recording: Recording, start: int) -> None:
    """Writes a clip's exact key points, in the order of `keypoints.KEYPOINTS`.

    points float32 (T, 64, 2): pixels of the frame. depth float32 (T, 64): towards the camera, shoulder widths. visible
    bool (T, 64): in the frame, and nothing in front. phase uint8 (T,): index into `timing.PHASES`. fps; first_frame: of
    the clip in its file, from 0.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        np.savez_compressed(
            file,
            points=recording.keypoints[..., :2],
            depth=recording.keypoints[..., 2],
            visible=recording.keypoints[..., 3] > 0,
            phase=recording.phases.astype(np.uint8),
            fps=np.float64(recording.fps),
            first_frame=np.int64(start),
        )
    part.replace(path)


def _write_pose(path: Path, recording: Recording, start: int) -> None:
    """Writes the same points as extraction would have left them, so that what reads those needs none."""
    pose = exact_pose(recording)
    times = pose.times + np.float32(start / recording.fps)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"by": {"name": "avatar", "version": version("signvlm")}, "counts": counted(pose)}
    write_pose(path, Pose(pose.points, times, pose.size), about)
