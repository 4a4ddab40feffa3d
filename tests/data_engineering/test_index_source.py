"""The index is fetched whole and right, or not at all."""

import os
from pathlib import Path

import pytest
from loopback import loopback

from data_engineering.errors import RunError
from data_engineering.index_source import WLASL, IndexSource, fetch_index, git_blob
from data_engineering.settings import DownloadSettings

SETTINGS = DownloadSettings(timeout=5.0, allow_hosts=("127.0.0.1",))


def test_an_index_with_the_right_hash_gets_its_name(tmp_path: Path) -> None:
    with loopback() as server:
        url = server.serve("/blob", b"hello\n")
        # The hash that `echo hello | git hash-object --stdin` prints.
        fetch_index(
            tmp_path / "deep" / "i.json", SETTINGS, IndexSource((url,), "ce013625030ba8dba906f756967f9e9ca394464a")
        )
    assert (tmp_path / "deep" / "i.json").read_bytes() == b"hello\n"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["i.json"]


@pytest.mark.parametrize(("status", "said"), [(200, "hash"), (404, "HTTP 404")])
def test_anything_else_leaves_nothing_and_says_how_to_get_it(tmp_path: Path, status: int, said: str) -> None:
    with loopback() as server, pytest.raises(RunError, match=said) as caught:
        fetch_index(tmp_path / "i.json", SETTINGS, IndexSource((server.serve("/blob", b"other", status),), "ce01"))
    assert "yourself" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real_clips
def test_the_pinned_hash_is_the_real_index_s() -> None:
    import gzip

    folder = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not folder or not (path := Path(folder, "WLASL_v0.3.json.gz")).exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    assert git_blob(gzip.decompress(path.read_bytes())) == WLASL.blob
