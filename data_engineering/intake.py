"""One entry of an index taken in, or refused with the reason: the same for WLASL's index and for a list of your own."""

from collections.abc import Callable
from typing import Any

from data_engineering import fields
from data_engineering.clip import Clip
from data_engineering.index_file import Index, Refusal


def take(index: Index, seen: dict[str, str], where: str, entry: Any, read: Callable[[], Clip]) -> None:
    """Appends an entry's clip to the index's clips, or the reason against it to its refused.

    Args:
        index: What is being read.
        seen: Ids taken so far, without case (some file systems would give "a1" and "A1" one file), and where.
        where: The entry's place in the file.
        entry: The entry.
        read: Makes a clip of it, or raises ValueError with the reason.
    """
    try:
        clip = read()
        key = clip.video_id.casefold()
        if key in seen:
            given = f"video_id {clip.video_id!r}" if entry.get("id") or entry.get("video_id") else "this clip"
            raise ValueError(f"{given} is already taken by {seen[key]}")
    except ValueError as error:
        index.refused.append(Refusal(where, str(error)))
        return
    seen[key] = where
    index.clips.append(clip)
    if clip.bbox is None and entry.get("bbox") is not None:
        reason = f"bbox {fields.short(entry['bbox'])} of {clip.video_id} encloses nothing; kept without it"
        index.adjusted.append(Refusal(where, reason))
