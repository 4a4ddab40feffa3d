"""What is known of the hosts that serve clips: how an address is named and which kind of fetch it needs."""

import re
from urllib.parse import parse_qs, urlsplit

_YOUTUBE_HOSTS = {"youtube.com", "www.youtube.com", "m.youtube.com"}
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")


def youtube_id(url: str) -> str | None:
    """Returns the video id of a YouTube address (watch?v=, youtu.be/, embed/), or None for any other address."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if host == "youtu.be":
        found = parts.path.strip("/")
    elif host in _YOUTUBE_HOSTS:
        found = parse_qs(parts.query).get("v", [""])[0] if parts.path == "/watch" else parts.path.rpartition("/")[2]
    else:
        return None
    return found if _YOUTUBE_ID.fullmatch(found) else None


def media_key(url: str) -> str:
    """Returns a name that two addresses of the same file share: scheme and fragment do not count, YouTube's id does."""
    if video := youtube_id(url):
        return f"youtube:{video}"
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or ''}{parts.path}?{parts.query}"
