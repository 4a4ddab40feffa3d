"""Where the WLASL index comes from: the authors' repository, named and verified by the hash of its content."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from data_engineering.errors import RunError
from data_engineering.net import AddressRefusedError, Fetcher, FetchError
from data_engineering.settings import DownloadSettings

INDEX_NAME = "WLASL_v0.3.json"
TERMS = (
    "WLASL is its authors' (Li, Rodriguez Opazo, Yu, Li: Word-level Deep Sign Language Recognition from Video, "
    "WACV 2020), under C-UDA 1.0: academic and computational use only; https://github.com/dxli94/WLASL"
)


class IndexSource(NamedTuple):
    """An address and the git blob hash that its body must have (`git_blob`)."""

    url: str
    blob: str


_BLOB = "6077d1e4a4ef1e560d38ee3694abe0412f7a6306"
# GitHub's API serves a blob by its hash, so the address itself pins the content (start_kit/WLASL_v0.3.json).
WLASL = IndexSource(f"https://api.github.com/repos/dxli94/WLASL/git/blobs/{_BLOB}", _BLOB)


def fetch_index(path: Path, settings: DownloadSettings, source: IndexSource = WLASL) -> None:
    """Fetches the index, checks its hash, and only then gives it its name.

    Args:
        path: Where it goes.
        settings: Time-outs and allowed hosts.
        source: Where it comes from.

    Raises:
        RunError: It could not be fetched or written, or is not what it should be.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    fetcher = Fetcher(settings.timeout, settings.max_bytes, settings.allow_hosts)
    by_hand = "fetch start_kit/WLASL_v0.3.json of https://github.com/dxli94/WLASL yourself, or set data.index"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as sink:
            fetcher.fetch(source.url, sink, {"Accept": "application/vnd.github.raw+json"})
        found = git_blob(part.read_bytes())
        if found != source.blob:
            raise RunError(f"{source.url}: the body has git blob hash {found}, not {source.blob}; {by_hand}")
        part.replace(path)
    except (AddressRefusedError, FetchError) as error:
        raise RunError(f"data.index: {path} is absent and {source.url} did not give it ({error}); {by_hand}") from error
    except OSError as error:
        raise RunError(f"data.index: {path} cannot be written ({error.strerror or error}); {by_hand}") from error
    finally:
        part.unlink(missing_ok=True)


def git_blob(body: bytes) -> str:
    """Returns the hash under which git keeps a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(body) + body, usedforsecurity=False).hexdigest()
