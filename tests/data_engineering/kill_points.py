"""Run as a program: a download killed with SIGKILL at one moment after another, and resumed each time.

    python kill_points.py FOLDER {touches|places|never} [ADDRESS]

FOLDER holds index.json. Each kill hits a data root of its own below it, so that the caller can compare them; ADDRESS
stands for YouTube's. Prints a JSON list of {root, finished}: finished is true for the last one, which was not killed.
The moments are the process's touches of the data root (Python's audit events: open, rename, remove, ...), or only those
that give a file its place in raw_videos, or none: then somebody else kills, who finds the process in FOLDER/pid.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import yt_dlp  # noqa: F401  imported before the forks, so that none of them has to
from roots import POLITE, PROMPT

from data_engineering import youtube
from data_engineering.download import download
from data_engineering.settings import DataSettings, DownloadSettings

TOUCHES = {"open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "shutil.copyfile"}


def is_moment(which: str, root: Path, event: str, arguments: tuple[Any, ...]) -> bool:
    if which == "touches":
        return event in TOUCHES and any(str(root) in str(argument) for argument in arguments)
    if which == "places" and event == "os.rename":
        target = Path(str(arguments[1]))
        return root / "raw_videos" in target.parents and not target.name.startswith(".")
    return False


def run(folder: Path, root: Path, kill_at: int, which: str) -> bool:
    """Downloads in a fork of this process; returns whether it lived to its end."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    touched = 0

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal touched
        if is_moment(which, root, event, arguments):
            touched += 1
            if touched == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    (folder / "pid").write_text(str(os.getpid()), encoding="utf-8")
    status = 1
    try:
        data = DataSettings(root=root, index=folder / "index.json")
        download(data, DownloadSettings(**POLITE), PROMPT, progress=False)  # type: ignore[arg-type]
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    folder, which = Path(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        youtube.WATCH = sys.argv[3]
    told, moment, finished = [], 0, False
    while not finished:
        moment += 1
        root = folder / f"root{moment}"
        finished = run(folder, root, moment, which)
        assert run(folder, root, -1, "never")
        told.append({"root": str(root), "finished": finished})
    print(json.dumps(told))


if __name__ == "__main__":
    main()
