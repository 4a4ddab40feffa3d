"""Which clips of a data root have key points, what those are made from and by, and what is known of the others."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_engineering.clip import read_json, write_json
from data_engineering.errors import RunError
from data_engineering.pose.extract import VERSION
from data_engineering.pose.extractor import Program
from data_engineering.pose.rates import COUNTED, counted, summed
from data_engineering.pose.record import FOLDER, Pose, pose_path, read_about, write_pose
from data_engineering.reasons import ClipError

# Of a clip's active frames: with a hand in fewer, there is little to recognise a sign by.
_FEW_HANDS = 1 / 3


def extracted_by(program: Program) -> dict[str, Any]:
    """What the file of a clip's key points says of the extractor that found them."""
    return {**program.identity, "revision": VERSION}


def keep(root: Path, row: Mapping[str, Any], pose: Pose, by: Mapping[str, Any]) -> dict[str, int]:
    """Writes the key points of a clip.

    Args:
        root: The data root.
        row: Of wlasl_validated.json.
        pose: Its key points.
        by: What made them: `extracted_by`, or {brought: file, sha256} of the file that they came in.

    Returns:
        What was counted in them (`rates.counted`).

    Raises:
        RunError: The disk is full.
    """
    counts = counted(pose)
    write_pose(pose_path(root, row["video_id"]), pose, {"clip": _clip(row), "by": by, "counts": counts})
    _refusal_path(root, row["video_id"]).unlink(missing_ok=True)
    return counts


def refuse(root: Path, row: Mapping[str, Any], error: ClipError, by: Mapping[str, Any]) -> None:
    """Writes why a clip has no key points, in place of any it had; raises as `keep` does."""
    told = {"clip": _clip(row), "by": by, "reason": error.reason, "detail": error.detail}
    write_json(_refusal_path(root, row["video_id"]), told)
    pose_path(root, row["video_id"]).unlink(missing_ok=True)


def about(root: Path, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns what the file of a clip's key points tells of itself: {clip, by, counts}.

    None where there is no file that can be read, or the clip or its kept range is another by now. The avatar's points,
    which were there before their clip was validated, name no clip and hold for whatever is kept of it.
    """
    told = read_about(pose_path(root, row["video_id"]))
    if not isinstance(told, dict) or told.get("clip", _clip(row)) != _clip(row):
        return None
    counts = told.get("counts")
    whole = isinstance(counts, dict) and counts.keys() >= COUNTED and all(type(n) is int for n in counts.values())
    return told if whole and isinstance(told.get("by"), dict) else None


def refused(root: Path, row: Mapping[str, Any]) -> dict[str, Any] | None:
    """Returns why a clip has no key points, {clip, by, reason, detail}; None where that is not known of this clip."""
    path = _refusal_path(root, row["video_id"])
    if not path.is_file():
        return None
    try:
        told = read_json(path, "")
    except RunError:
        return None
    same = isinstance(told, dict) and told.get("clip") == _clip(row)
    return told if same and {"by", "reason", "detail"} <= told.keys() else None


def summary(root: Path, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Sums up the key points of a data root, for health.json.

    Args:
        root: The data root.
        rows: Of wlasl_validated.json.

    Returns:
        validated: clips; what `rates.summed` returns of those with key points; by: {what made them: clips}; few_hands:
        {video_id: share of the active frames with a hand}, the fewest first; jumps: {video_id: how often}; refused:
        [{video_id, gloss, reason, detail}].
    """
    told, lacking = {}, []
    for row in rows:
        found = about(root, row)
        if found is not None:
            told[row["video_id"]] = found
        elif (error := refused(root, row)) is not None:
            reasons = {key: error[key] for key in ("reason", "detail")}
            lacking.append({"video_id": row["video_id"], "gloss": row["gloss"], **reasons})
    counts = {video_id: each["counts"] for video_id, each in told.items()}
    hands = {
        video_id: round(each["active_any_hand"] / each["active"], 4)
        for video_id, each in counts.items()
        if each["active"] and each["active_any_hand"] < _FEW_HANDS * each["active"]
    }
    return {
        "validated": len(rows),
        **summed(counts.values()),
        "by": dict(Counter(maker(each["by"]) for each in told.values()).most_common()),
        "few_hands": dict(sorted(hands.items(), key=lambda entry: (entry[1], entry[0]))),
        "jumps": {video_id: each["jumps"] for video_id, each in counts.items() if each["jumps"]},
        "refused": lacking,
    }


def maker(by: Mapping[str, Any]) -> str:
    """Names what made key points."""
    return "brought along" if "brought" in by else f"{by.get('name')} {by.get('version')}"


def _clip(row: Mapping[str, Any]) -> dict[str, Any]:
    """What of a clip its key points depend on."""
    return {**{name: row["media"][name] for name in ("sha256", "start", "end")}, "bbox": row["bbox"]}


def _refusal_path(root: Path, video_id: str) -> Path:
    return root / FOLDER / f"{video_id}.refused.json"
