"""A download that is killed at any moment goes on where it was, and ends as if nothing had happened."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from loopback import Loopback, write_clip
from roots import Root

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def kill(folder: Path, which: str, *more: str) -> list[Path]:
    """Kills and resumes at every moment; returns the data roots, the last of which was never killed."""
    script = Path(__file__).with_name("kill_points.py")
    command = [sys.executable, str(script), str(folder), which, *more]
    paths = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | paths)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told[-1]["finished"]
    return [Path(entry["root"]) for entry in told]


def state(root: Path) -> dict[str, Any]:
    """What a download leaves, but for the times: every file's hash, the last attempt of each clip, the manifest."""
    # An unfinished manifest may have been left an instant ago by a process that still runs: it is swept when it is old.
    files = [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "downloads.jsonl" and not path.name.startswith(".wlasl_cleaned.json.")
    ]
    attempts: dict[str, Any] = {}
    for line in (root / "downloads.jsonl").read_text(encoding="utf-8").splitlines():
        attempt = json.loads(line)
        attempts[attempt["id"]] = attempt | {"seconds": 0.0}
    return {
        "files": {
            str(path.relative_to(root)): hashlib.sha256(path.read_bytes().replace(bytes(root), b"")).hexdigest()
            for path in files
        },
        "attempts": attempts,
    }


def test_killed_at_any_touch_of_the_disk(tmp_path: Path, server: Loopback) -> None:
    clip = write_clip(tmp_path / "source.mp4").read_bytes()
    shared = server.serve("/shared.mp4", clip)
    urls = {
        "a": shared,
        "b": shared,
        "gone": server.base + "/gone",
        "page": server.serve("/page", b"<html>moved</html>"),
    }
    Root(tmp_path, urls)
    *killed, whole = kill(tmp_path, "touches")
    assert len(killed) > 20
    expected = state(whole)
    assert set(expected["files"]) == {"raw_videos/a.mp4", "raw_videos/b.mp4", "datasets/wlasl_cleaned.json"}
    for root in killed:
        assert state(root) == expected, root


def test_killed_in_the_middle_of_a_body(tmp_path: Path, server: Loopback) -> None:
    clip = write_clip(tmp_path / "source.mp4").read_bytes()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", str(len(clip)))
        request.end_headers()
        if len(server.asked) == 1:
            request.wfile.write(clip[: len(clip) // 2])
            request.wfile.flush()
            os.kill(int((tmp_path / "pid").read_text(encoding="utf-8")), signal.SIGKILL)
        else:
            request.wfile.write(clip)

    Root(tmp_path, {"a": server.on("/a", answer)})
    killed, whole = kill(tmp_path, "never")
    assert state(killed) == state(whole)
    assert [path.name for path in (killed / "raw_videos").iterdir()] == ["a.mp4"]


def test_killed_between_the_clips_of_a_compilation(tmp_path: Path, server: Loopback) -> None:
    """Once the video is there, it is not asked for again, however often the run dies."""
    body = write_clip(tmp_path / "all.mp4", frames=120, fps=50).read_bytes()
    server.serve("/watch/abcdefghijk", body, Content_Type="video/mp4")
    url = "https://www.youtube.com/watch?v=abcdefghijk"
    Root(
        tmp_path,
        instances=[
            {"video_id": "a", "url": url, "frame_start": 11, "frame_end": 20},
            {"video_id": "b", "url": url, "frame_start": 31, "frame_end": 50},
        ],
    )
    *killed, whole = kill(tmp_path, "places", f"{server.base}/watch/")
    # The video, a, b.
    assert len(killed) == 3
    expected = state(whole)
    assert len(expected["files"]) == 4
    for root in killed:
        assert state(root) == expected, root
    a_fetch = 2  # one request to look, one to download
    # Twice where the kill came before the video was in its place; once by each of the others.
    assert len(server.asked) == a_fetch * (2 + 1 + 1 + 1)
