"""What is known of the hosts that serve clips: whose an address is, what it names, and when a host is dead."""

import re
from collections import defaultdict
from urllib.parse import parse_qs, urlsplit

YOUTUBE = "youtube"
SAME_BODIES = 3
"""One body under more addresses of a host than this is a placeholder (aslsearch.com: the same 114 bytes for all)."""

DEAD = (
    f"Dead: one body under the last {SAME_BODIES + 1} addresses or more, so it is no longer asked; look for its clips "
    "elsewhere, or --retry-failed in some months"
)
"""The verdict on a host that a `BodyWatch` finds dead."""

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
    """Returns a name that two addresses of the same file share: scheme and fragment do not count, YouTube's id does.

    Examples:
        >>> media_key("https://youtu.be/abcdefghijk") == media_key("http://www.youtube.com/watch?v=abcdefghijk&t=9")
        True
        >>> media_key("https://www.handspeak.com/word/b/book.mp4#t=1")
        'www.handspeak.com:/word/b/book.mp4?'
    """
    if video := youtube_id(url):
        return f"youtube:{video}"
    parts = urlsplit(url)
    return f"{(parts.hostname or '').lower()}:{parts.port or ''}{parts.path}?{parts.query}"


def host_of(url: str) -> str:
    """Returns who is asked for an address: `youtube`, or host[:port]."""
    if youtube_id(url):
        return YOUTUBE
    parts = urlsplit(url)
    return (parts.hostname or "") + (f":{parts.port}" if parts.port else "")


def request_headers(url: str) -> dict[str, str]:
    """Returns the request headers that a host insists on: aslpro serves its .swf only to its own pages."""
    aslpro = belongs(urlsplit(url).hostname or "", "aslpro.com")
    return {"Referer": "http://www.aslpro.com/cgi-bin/aslpro/aslpro.cgi"} if aslpro else {}


def belongs(host: str, name: str) -> bool:
    """Returns whether a host is the one of that name or below it (`www.handspeak.com` belongs to `handspeak.com`)."""
    name = name.lower()
    return host == name or host.endswith(f".{name}")


class BodyWatch:
    """Notices that one host answers different addresses with the same body."""

    def __init__(self) -> None:
        self._addresses: dict[str, set[str]] = defaultdict(set)
        self._run: tuple[str, set[str]] = ("", set())

    def saw(self, sha256: str, media: str) -> None:
        """Notes a body that came for an address (by its `media_key`)."""
        self._addresses[sha256].add(media)
        if self._run[0] != sha256:
            self._run = (sha256, set())
        self._run[1].add(media)

    def placeholder(self, sha256: str) -> bool:
        """Returns whether this body came for more than `SAME_BODIES` addresses: no such body is a clip."""
        return len(self._addresses[sha256]) > SAME_BODIES

    @property
    def dead(self) -> bool:
        """Whether the latest bodies, for more than `SAME_BODIES` addresses in a row, were all the same."""
        return len(self._run[1]) > SAME_BODIES
