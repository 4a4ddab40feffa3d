"""Manifest rows read, and decoded into dataset rows; imported by workers, so nothing heavy stands here."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.clip import Manifests, read_json, video_path
from data_engineering.errors import RunError
from data_engineering.pose.normalize import normalized
from data_engineering.pose.of_clip import pose_of
from data_engineering.pose.skeleton import drawn, shown
from data_engineering.settings import PreprocessSettings
from data_engineering.state import unchanged
from data_engineering.video import clip_frames


def validated_rows(root: Path) -> list[dict[str, Any]]:
    """Reads wlasl_validated.json.

    Returns:
        Its rows, each with the path that its file has in `root`: the one written there was given from another working
        directory, perhaps, or before the data root was moved. A file of the user's own stays where it was. And each
        with `root`, where its key points lie.

    Raises:
        RunError: The manifest is missing or is none.
    """
    manifest = Manifests(root).validated
    rows = read_json(manifest, "run `signvlm validate`")
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and "motion" in row.get("media", ()) for row in rows
    ):
        raise RunError(f"{manifest}: not a manifest of clips validated by this version; run `signvlm validate`")
    return [
        {
            **row,
            "video_path": row.get("own_file") or str(video_path(root, row["video_id"])),
            "root": str(root),
        }
        for row in rows
    ]


def check_sources(rows: Sequence[Mapping[str, Any]]) -> None:
    """Refuses to decode files that are not the ones that were validated.

    Raises:
        RunError: Some have gone or changed since.
    """
    same = unchanged((row["video_id"], Path(row["video_path"]), row["media"]) for row in rows)
    changed = [row["video_id"] for row in rows if row["video_id"] not in same]
    if changed:
        named = ", ".join(changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise RunError(
            f"{len(changed)} of {len(rows)} clips are gone or changed since validation ({named}); "
            "run `signvlm validate`"
        )


def row_clip_frames(
    manifest_row: Mapping[str, Any], num_frames: int, settings: PreprocessSettings
) -> tuple[np.ndarray, np.ndarray]:
    """`clip_frames` of a row of wlasl_validated.json, T being `num_frames`."""
    media = manifest_row["media"]
    return clip_frames(
        Path(manifest_row["video_path"]),
        bbox=manifest_row["bbox"],
        motion=media["motion"],
        start=media["start"],
        end=media["end"],
        num_frames=num_frames,
        preprocess=settings,
        surveyed=media,
    )


def decode_row(manifest_row: Mapping[str, Any], settings: PreprocessSettings) -> dict[str, Any]:
    """Decodes a validated clip into a dataset row.

    Args:
        manifest_row: A row of wlasl_validated.json.
        settings: What a model is shown.

    Returns:
        clip_id, gloss, signer_id, split, source: str; frames: bytes of uint8 (T, S, S, 3) RGB; shape: [T, S, S, 3];
        timestamps: T seconds of the source. Where the view has drawings, also points: bytes of float16 (K, 64, 3), the
        normalised key points of the whole clip, from which training draws others.

    Raises:
        ClipError: The file cannot be read any more, or its key points show nobody.
        RunError: The key points have not been extracted.
    """
    frames, timestamps, points = [], [], {}
    if settings.films:
        film, seconds = row_clip_frames(manifest_row, settings.stored_frames or settings.num_frames, settings)
        frames.append(film)
        timestamps += seconds.tolist()
    if settings.draws:
        found, times = clip_points(manifest_row)
        what = shown(found, settings.num_frames)
        # After the film, not beside it: frames stay square, and look to a base as those that it was trained on.
        frames.append(drawn(what, settings.size))
        timestamps += times[what.at].tolist()
        points = {"points": found.astype(np.float16).tobytes()}
    pictures = np.concatenate(frames)
    return {
        "clip_id": manifest_row["video_id"],
        "gloss": manifest_row["gloss"],
        "signer_id": str(manifest_row["signer_id"]),
        "split": manifest_row["split"],
        "source": manifest_row["source"],
        "frames": pictures.tobytes(),
        "shape": list(pictures.shape),
        "timestamps": timestamps,
        **points,
    }


def clip_points(manifest_row: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Reads a clip's key points.

    Returns:
        float32 (K, 64, 3) as `normalize.normalized` gives them, and K seconds of the source.

    Raises:
        ClipError: There are none, or they show nobody.
        RunError: They have not been extracted, or the file is damaged.
    """
    pose = pose_of(Path(manifest_row["root"]), manifest_row)
    return normalized(pose.points, pose.size), pose.times


def decode_job(job: tuple[Mapping[str, Any], PreprocessSettings, Path]) -> dict[str, Any]:
    """`decode_row` for a worker: (row, settings, folder).

    The pixels go to a file in the folder, which the row then names under "frames": through the pool's pipe, which the
    workers share, they would cost more than cropping them. Where the file cannot be written they come in the row.
    """
    row, settings, folder = job
    result = decode_row(row, settings)
    spilled = folder / f"{result['clip_id']}.raw"
    try:
        spilled.write_bytes(result["frames"])
    except OSError:
        spilled.unlink(missing_ok=True)
        return result
    return {**result, "frames": spilled}
