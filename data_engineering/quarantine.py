"""Clips that failed after validation, moved from the validated to the corrupted manifest with their reason."""

from collections.abc import Mapping
from pathlib import Path

from data_engineering.clip import Manifests, read_json, write_json
from data_engineering.reasons import ClipError

_NEXT = "run `signvlm validate`"


def quarantine(root: Path, failed: Mapping[str, ClipError]) -> list[Path]:
    """Moves clips to corrupted_videos.json.

    Args:
        root: The data root.
        failed: {video_id: why}.

    Returns:
        The manifests written.

    Raises:
        RunError: A manifest cannot be read or written.
    """
    manifests = Manifests(root)
    validated = read_json(manifests.validated, _NEXT)
    corrupted = read_json(manifests.corrupted, _NEXT) if manifests.corrupted.is_file() else []
    there = {row["video_id"] for row in corrupted}  # after a kill between the two writes, or by another process
    for row in validated:
        error = failed.get(row["video_id"])
        if error is not None and row["video_id"] not in there:
            told = {key: row[key] for key in ("video_id", "gloss", "signer_id", "split", "video_path")}
            stamp = row["media"].get("stamp", "")
            corrupted.append({**told, "reason": error.reason, "detail": error.detail, "stamp": stamp})
    write_json(manifests.corrupted, corrupted)
    write_json(manifests.validated, [row for row in validated if row["video_id"] not in failed])
    return [manifests.validated, manifests.corrupted]
