"""One video through yt-dlp's Python API: no shell, no configuration file, no output of its own."""

from pathlib import Path
from typing import Any

from data_engineering.net import FetchError
from data_engineering.settings import DownloadSettings

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
_WALL = ("not a bot", "http error 429", "too many requests", "captcha")


class WallError(FetchError):
    """The host has had enough of us: asking on would make it worse."""


def fetch(url: str, target: Path, settings: DownloadSettings) -> None:
    """Downloads one video, the best file that has sound and picture in one MP4, as the index's authors did.

    Args:
        url: An address built from a checked id; yt-dlp follows it wherever it leads.
        target: The file to write.
        settings: Time-outs, size limit, cookies.

    Raises:
        WallError: YouTube asks for a login or for patience.
        FetchError: Anything else that yt-dlp reports.
    """
    import yt_dlp  # a second of imports that only this host needs

    def limit(progress: dict[str, Any]) -> None:
        if progress.get("downloaded_bytes", 0) > settings.max_bytes:
            raise FetchError(f"too large: more than download.max_bytes, {settings.max_bytes}", retriable=False)

    # yt-dlp takes ".part" at the end of a name for its own doing and strips it.
    arriving = target.with_name(f"{target.name}.mp4")
    options = {
        "format": "best[ext=mp4]/best",
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
        "allow_playlist_files": False,
        "socket_timeout": settings.timeout,
        "retries": settings.retries,
        "extractor_retries": settings.retries,
        "max_filesize": settings.max_bytes,
        "progress_hooks": [limit],
        "cookiefile": str(settings.cookies) if settings.cookies else None,
    }
    try:
        with yt_dlp.YoutubeDL(options) as session:
            session.extract_info(url, download=True)
        if not arriving.is_file():
            raise FetchError("no video: none came, or one above download.max_bytes", retriable=False)
        arriving.replace(target)
    except yt_dlp.utils.YoutubeDLError as error:
        raise _failure(str(error)) from error
    finally:
        arriving.unlink(missing_ok=True)


class _Silent:
    """yt-dlp's logger: every error also arrives as an exception."""

    def debug(self, message: str) -> None:
        pass

    info = warning = error = debug


def _failure(message: str) -> FetchError:
    words = " ".join(message.removeprefix("ERROR: ").split())
    lower = words.lower()
    if any(sign in lower for sign in _WALL):
        return WallError(f"wall: {words[:200]}", retriable=True)
    if any(sign in lower for sign in _GONE):
        return FetchError(f"gone: {words[:200]}", retriable=False)
    # yt-dlp's name for: the host could not be reached at all.
    return FetchError(f"yt-dlp: {words[:200]}", retriable=True, answered="transporterror" not in lower)
