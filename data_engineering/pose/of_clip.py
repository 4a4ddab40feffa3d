"""The key points of a clip of a data root, or why it has none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_engineering.errors import RunError
from data_engineering.keypoints import BODY
from data_engineering.pose import kept
from data_engineering.pose.record import FOLDER, Pose, pose_path, read_pose
from data_engineering.reasons import REMEDIES, ClipError


def check_poses(root: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Checks that every clip has been looked at, as it is now.

    Args:
        root: The data root.
        rows: Of wlasl_validated.json.

    Raises:
        RunError: A clip has no key points, and nobody says why, or those it has are of an earlier file or range.
    """
    lacking = [row["video_id"] for row in rows if not is_extracted(root, row)]
    if lacking:
        named = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
        raise RunError(
            f"{root / FOLDER}: {len(lacking)} of {len(rows)} clips have no key points of their newest file ({named}); "
            "run `signvlm pose`"
        )


def is_extracted(root: Path, row: Mapping[str, Any]) -> bool:
    """Tells whether a clip has been looked at, as it is now: there are key points, or why there are none."""
    return kept.about(root, row) is not None or kept.refused(root, row) is not None


def pose_of(root: Path, row: Mapping[str, Any]) -> Pose:
    """Reads a clip's key points.

    Args:
        root: The data root.
        row: Of wlasl_validated.json.

    Raises:
        ClipError: They were refused when they were extracted, or show nobody.
        RunError: The file is missing, damaged, or not of this form.
    """
    if (told := kept.refused(root, row)) is not None:
        reason = told["reason"] if told["reason"] in REMEDIES else "bad_pose"
        raise ClipError(reason, str(told.get("detail")))
    pose = read_pose(pose_path(root, row["video_id"]))
    if not pose.found[:, BODY].any():
        raise ClipError("no_person", f"no body was found in any of {len(pose.points)} frames")
    return pose
