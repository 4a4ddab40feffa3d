"""Where the WLASL index comes from: the authors' repository, named and verified by the hash of its content."""

import glob
import hashlib
import random
import time
from pathlib import Path
from typing import NamedTuple

from data_engineering.addresses import AddressRefusedError
from data_engineering.errors import RunError
from data_engineering.net import Fetcher, FetchError
from data_engineering.patience import LONGEST_WAIT, backoff
from data_engineering.settings import DownloadSettings
from data_engineering.shelf import left_behind, mark

INDEX_NAME = "WLASL_v0.3.json"
TERMS = (
    "WLASL is its authors' (Li, Rodriguez Opazo, Yu, Li: Word-level Deep Sign Language Recognition from Video, "
    "WACV 2020), under C-UDA 1.0: academic and computational use only; https://github.com/dxli94/WLASL"
)


class IndexSource(NamedTuple):
    """Addresses of one file, asked in turn, and the git blob hash that its content must have (`git_blob`)."""

    urls: tuple[str, ...]
    blob: str


_COMMIT = "ac00e6be631c1a2a486621b65f202219f3964d6b"  # the authors' latest as of November 2026
_BLOB = "6077d1e4a4ef1e560d38ee3694abe0412f7a6306"  # start_kit/WLASL_v0.3.json in it, 11,932,637 bytes
WLASL = IndexSource(
    (
        f"https://raw.githubusercontent.com/dxli94/WLASL/{_COMMIT}/start_kit/WLASL_v0.3.json",
        # By its hash alone; the API answers 60 times an hour.
        f"https://api.github.com/repos/dxli94/WLASL/git/blobs/{_BLOB}",
    ),
    _BLOB,
)


def fetch_index(path: Path, settings: DownloadSettings, source: IndexSource = WLASL) -> str:
    """Fetches the index, checks its hash, and only then gives it its name.

    Args:
        path: Where it goes.
        settings: Time-outs, retries and allowed hosts.
        source: Where it comes from.

    Returns:
        The address that gave it.

    Raises:
        RunError: It could not be fetched or written, or is not what it should be.
    """
    by_hand = "fetch start_kit/WLASL_v0.3.json of https://github.com/dxli94/WLASL yourself, or set data.index"
    problems = []
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for part in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
            if left_behind(part):
                part.unlink(missing_ok=True)
        for url in source.urls:
            problem = _fetch(url, path, settings, source.blob)
            if not problem:
                return url
            problems.append(f"{url}: {problem}")
    except OSError as error:
        raise RunError(f"data.index: {path} cannot be written ({error.strerror or error}); {by_hand}") from error
    raise RunError(f"data.index: {path} is absent and could not be fetched ({'; '.join(problems)}); {by_hand}")


def _fetch(url: str, path: Path, settings: DownloadSettings, blob: str) -> str:
    """Fetches one address into place; returns what was wrong with it, "" if nothing was."""
    part = path.with_name(f".{path.name}.{mark()}.part")
    fetcher = Fetcher(settings.timeout, settings.max_bytes, settings.allow_hosts)
    tries = 0
    try:
        while True:
            try:
                with part.open("wb") as sink:
                    fetcher.fetch(url, sink, {"Accept": "application/vnd.github.raw+json"})
                break
            except AddressRefusedError as error:
                return str(error)
            except FetchError as error:
                wait = max(backoff(settings.backoff, tries, random.random()), error.retry_after or 0.0)  # noqa: S311
                if not error.retriable or tries >= settings.retries or wait > LONGEST_WAIT:
                    return str(error)
                time.sleep(wait)
                tries += 1
        found = git_blob(part.read_bytes())
        if found != blob:
            return f"its git blob hash is {found}, not {blob}"
        part.replace(path)
        return ""
    finally:
        part.unlink(missing_ok=True)


def git_blob(body: bytes) -> str:
    """Returns the hash under which git keeps a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
