"""One video through yt-dlp's Python API: no shell, no configuration file, no output of its own."""

import errno
import io
import os
import re
from pathlib import Path
from typing import Any

from data_engineering.errors import ConfigError
from data_engineering.net import FetchError, WallError
from data_engineering.public_only import public_only
from data_engineering.settings import DownloadSettings

WATCH = "https://www.youtube.com/watch?v="
"""What stands before a video's id."""

THROTTLED = 64 * 1024
"""Bytes a second. A video that comes more slowly after `PATIENCE` seconds is being held back."""

PATIENCE = 30.0
"""Seconds after which a video's mean speed counts."""

# One file of picture and sound, as the index's authors took it; where there is none, the picture alone will do.
_FORMAT = "best[ext=mp4]/bestvideo[ext=mp4][vcodec^=avc1][height<=720]/bestvideo[height<=720]/best/bestvideo"

# What yt-dlp says when a video will not come back; anything it does not say is worth another attempt.
_GONE = (
    "video unavailable",
    "private video",
    "has been removed",
    "no longer available",
    "not available",
    "terminated",
    "confirm your age",
    "members-only",
    "unsupported url",
    "requested format",
    "http error 404",
    "http error 410",
)
# "Video unavailable. This content isn't available, try again later" is said to a session that asked too often, so walls
# are looked for first. A 403 for the media itself is the same (yt-dlp's wiki, "Common YouTube Errors").
_WALL = (
    "not a bot",
    "rate-limited",
    "try again later",
    "http error 429",
    "http error 403",
    "too many requests",
    "captcha",
)
# Domain, subdomains too, path, https only, expiry, name, value; tabs between them.
# What a disk says that takes no more.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_COOKIE = re.compile(r"(?:#HttpOnly_)?[^#\s]\S*\t(?:TRUE|FALSE)\t[^\t]+\t(?:TRUE|FALSE)\t[0-9.]*\t[^\t]*\t[^\t]*")


def fetch(url: str, target: Path, settings: DownloadSettings) -> bool:
    """Downloads one video.

    Args:
        url: An address built from a checked id; yt-dlp follows it wherever it leads.
        target: The file to write.
        settings: Time-outs, size limit, cookies.

    Returns:
        Whether it came in pieces that were each checked; else its container has to tell whether it is whole, as yt-dlp
        takes a part that a host sends unasked for the file.

    Raises:
        WallError: YouTube asks for a login or for patience.
        FetchError: Anything else that yt-dlp reports, or that breaks it; or an address on its way is not public.
        OSError: The disk is full.
    """
    import yt_dlp  # a second of imports that only this host needs

    pieces = False

    def limit(progress: dict[str, Any]) -> None:
        nonlocal pieces
        pieces = pieces or progress.get("fragment_count") is not None
        count, elapsed = progress.get("downloaded_bytes") or 0, progress.get("elapsed") or 0
        if count > settings.max_bytes:
            raise FetchError(f"too large: more than download.max_bytes, {settings.max_bytes}", retriable=False)
        if elapsed > PATIENCE and count / elapsed < THROTTLED and progress.get("status") == "downloading":
            raise WallError(f"throttled: {count / elapsed / 1024:.0f} KiB a second", retriable=True)

    # yt-dlp takes ".part" at the end of a name for its own doing and strips it.
    arriving = target.with_name(f"{target.name}.mp4")
    options = {
        "format": _FORMAT,
        "outtmpl": {"default": str(arriving).replace("%", "%%")},
        "overwrites": True,
        "continuedl": False,
        "nopart": True,
        "noplaylist": True,
        "playlist_items": "1",
        "quiet": True,
        "noprogress": True,
        "no_warnings": True,
        "logger": _Silent(),
        "color": {"error": "no_color"},
        "cachedir": False,
        "fixup": "never",
        # Neither is one file merged, nor may a program connect that nobody watches.
        "ffmpeg_location": str(target.with_name("none")),
        "allow_playlist_files": False,
        "socket_timeout": settings.timeout,
        # A retry of its own would go on where it broke off, and believe whatever part it is then given.
        "retries": 0,
        "extractor_retries": settings.retries,
        "retry_sleep_functions": {"extractor": lambda tries: settings.backoff * 2**tries},
        "max_filesize": settings.max_bytes,
        "progress_hooks": [limit],
        # A copy: yt-dlp writes the jar back at its end, and a kill must not cost the user the file.
        "cookiefile": io.StringIO(cookie_text(settings.cookies)) if settings.cookies else None,
    }
    try:
        try:
            with public_only(settings.allow_hosts) as refused, yt_dlp.YoutubeDL(options) as session:
                session.extract_info(url, download=True)
        except FetchError:
            raise
        except Exception as error:  # an odd page may break any of its parsers, each in a way of its own
            _check_disk(error)
            if refused:
                raise FetchError(str(refused[-1]), retriable=False) from error
            if isinstance(error, yt_dlp.utils.YoutubeDLError):
                raise failure(str(error)) from error
            raise FetchError(f"yt-dlp: {type(error).__name__}: {str(error)[:200]}", retriable=True) from error
        if not arriving.is_file():
            raise FetchError("no video: none came, or one above download.max_bytes", retriable=False)
        arriving.replace(target)
        return pieces
    finally:
        arriving.unlink(missing_ok=True)


def cookie_text(path: Path) -> str:
    """Reads the cookies of a cookies.txt; what is no cookie is left out, as yt-dlp would print it, secrets and all.

    Raises:
        ConfigError: It cannot be read, or holds no cookie in Netscape's format.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise ConfigError(f"download.cookies: {path} cannot be read ({reason}); export it from the browser") from error
    cookies = [line for line in lines if _COOKIE.fullmatch(line)]
    if not cookies:
        raise ConfigError(
            f"download.cookies: {path} holds no cookie in Netscape's format; export cookies.txt from a browser that is "
            "logged in"
        )
    return "\n".join(["# Netscape HTTP Cookie File", *cookies, ""])


def _check_disk(error: BaseException) -> None:
    """Raises the full disk that an error of yt-dlp's stands for, if it does: no further video will fit either."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _FULL:
            raise OSError(cause.errno, os.strerror(cause.errno)) from error
        cause = cause.__cause__ or cause.__context__


class _Silent:
    """yt-dlp's logger: every error also arrives as an exception."""

    def debug(self, message: str) -> None:
        pass

    info = warning = error = debug


def failure(message: str) -> FetchError:
    """Returns what yt-dlp's words mean: a wall, a video that is gone for good, or something that may pass."""
    words = " ".join(message.removeprefix("ERROR: ").split())
    lower = words.lower()
    if any(sign in lower for sign in _WALL):
        return WallError(f"wall: {words[:200]}", retriable=True)
    if any(sign in lower for sign in _GONE):
        return FetchError(f"gone: {words[:200]}", retriable=False)
    # yt-dlp's name for: the host could not be reached at all.
    return FetchError(f"yt-dlp: {words[:200]}", retriable=True, answered="transporterror" not in lower)
