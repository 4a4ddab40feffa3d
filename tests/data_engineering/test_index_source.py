"""The index is fetched whole and right, or not at all."""

import functools
import json
import os
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from loopback import loopback

from data_engineering import download
from data_engineering.errors import RunError
from data_engineering.index_source import WLASL, IndexSource, fetch_index, git_blob
from data_engineering.settings import DataSettings, DownloadSettings
from data_engineering.shelf import mark

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


def test_what_a_killed_run_left_of_it_is_swept(tmp_path: Path) -> None:
    dead = f".i.json.{mark()}.part".replace(f"-{os.getpid()}", "-4194305")  # beyond the largest process number of Linux
    (tmp_path / dead).write_bytes(b"he")
    with loopback() as server:
        url = server.serve("/blob", b"hello\n")
        fetch_index(tmp_path / "i.json", SETTINGS, IndexSource((url,), git_blob(b"hello\n")))
    assert [path.name for path in tmp_path.iterdir()] == ["i.json"]


@pytest.mark.parametrize(("status", "said"), [(200, "hash"), (404, "HTTP 404")])
def test_anything_else_leaves_nothing_and_says_how_to_get_it(tmp_path: Path, status: int, said: str) -> None:
    with loopback() as server, pytest.raises(RunError, match=said) as caught:
        fetch_index(tmp_path / "i.json", SETTINGS, IndexSource((server.serve("/blob", b"other", status),), "ce01"))
    assert "yourself" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_host_that_is_busy_is_asked_again_and_one_that_has_it_not_makes_room_for_the_next(tmp_path: Path) -> None:
    with loopback() as server:
        body, blob = b"hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"

        def answer(request: BaseHTTPRequestHandler) -> None:
            busy = server.asked.count("/second") < 3
            request.send_response(503 if busy else 200)
            request.send_header("Content-Length", str(0 if busy else len(body)))
            request.end_headers()
            request.wfile.write(b"" if busy else body)

        urls = (server.serve("/first", b"changed"), server.base + "/absent", server.on("/second", answer))
        settings = SETTINGS.model_copy(update={"backoff": 0.0})
        assert fetch_index(tmp_path / "i.json", settings, IndexSource(urls, blob)) == urls[2]
        assert server.asked == ["/first", "/absent", "/second", "/second", "/second"]
    assert (tmp_path / "i.json").read_bytes() == body


def test_a_download_without_an_index_fetches_it_first_and_shows_the_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    instance = {"video_id": "00001", "split": "train", "signer_id": 1, "url": ""}
    body = json.dumps([{"gloss": "book", "instances": [instance]}]).encode()
    data = DataSettings(root=tmp_path / "root", index=tmp_path / "WLASL_v0.3.json")
    with loopback() as server:
        source = IndexSource((server.serve("/index", body),), git_blob(body))
        monkeypatch.setattr(download, "fetch_index", functools.partial(fetch_index, source=source))
        report = download.download(data, SETTINGS, "")
    assert data.index.read_bytes() == body
    assert report.counts["clips expected"] == 1
    assert "C-UDA 1.0" in capsys.readouterr().err
    assert any("its hash checked" in note and "C-UDA 1.0" in note for note in report.notes)


@pytest.mark.real_clips
def test_the_pinned_hash_is_the_real_index_s() -> None:
    import gzip

    folder = os.environ.get("SIGNVLM_WLASL_CLIPS")
    if not folder or not (path := Path(folder, "WLASL_v0.3.json.gz")).exists():
        pytest.skip("SIGNVLM_WLASL_CLIPS names no folder with WLASL_v0.3.json.gz")
    assert git_blob(gzip.decompress(path.read_bytes())) == WLASL.blob
