"""Why a clip cannot be used: one exception, one table of reason codes, each with its remedy."""

from data_engineering.names import shown

# The same words for what came from a host and for clips of one's own.
_AGAIN = "delete it and run download again, or put a whole copy in its place."

REMEDIES = {
    "absent": "No file of that name; check the path, or run download again.",
    "not_a_file": f"A folder, a pipe or a broken link lies where the clip should be; {_AGAIN}",
    "outside_root": "The file is a link that leaves the data root; put the clip itself into raw_videos.",
    "unreadable": "The file exists but cannot be read; check its permissions and the disk.",
    "empty": f"The file has no bytes; {_AGAIN}",
    "html": "The host answered with a web page; the clip is gone, needs a login, or must be fetched by hand.",
    "playlist": "The file only points at other files; fetch the video it names and put that in its place.",
    "not_video": f"The file is no known video container; {_AGAIN}",
    "moov_missing": f"The MP4's index was never written, so the download broke off; {_AGAIN}",
    "truncated": f"The file ends before its clip does; {_AGAIN}",
    "no_video_stream": "The file holds sound only; look for another copy of the clip.",
    "no_frames": "The container holds no frame that decodes; look for another copy of the clip.",
    "too_short": "Fewer frames than validate.min_frames or too few seconds are left; look at it, or lower the key.",
    "frozen": "Every frame of the kept range is the same picture; look for another copy of the clip.",
    "black": "Every frame of the kept range is black; look for another copy of the clip.",
    "too_large": "The clip is beyond a limit of the validate section; raise that limit if you trust the file.",
    "undecodable": f"The codec or its data is broken; play the file, re-encode it, or {_AGAIN}",
    "timeout": "Decoding took longer than validate.timeout; raise that on a busy machine, or leave the file out.",
    "memory": "Decoding needed more than validate.max_memory; raise it if you trust the file.",
    "no_person": "No person was found in any frame; look at the clip: head and shoulders must be in the picture.",
    "bad_pose": "The file of key points is not of its form or not of this clip; make it again, or leave it out.",
    "crashed": "The decoder, or the extractor, itself died on this file; re-encode it or leave it out.",
}


PASSING = frozenset({"timeout", "memory", "crashed"})
"""Reasons that may lie in a busy machine, not in the file."""


class ClipError(Exception):
    """A clip cannot be used.

    Attributes:
        reason: A key of `REMEDIES`.
        detail: What was found in this file, in words that may be printed and written.
    """

    def __init__(self, reason: str, detail: str) -> None:
        detail = shown(detail)
        # Both go to Exception, so that the error survives the way back from a worker process.
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"

    @property
    def remedy(self) -> str:
        """What to do about it, as one sentence."""
        return REMEDIES[self.reason]
