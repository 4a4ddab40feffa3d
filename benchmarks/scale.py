"""What 20,000 clips cost when there is nothing to do, and what WLASL's whole index costs before any clip is read.

    python benchmarks/scale.py [WLASL_v0.3.json[.gz]] [--clips 20000 2000] [--repeats 3]

Makes a data root of so many tiny clips, judges and preprocesses one of them for real, and writes for the others what
would have been found, so that `signvlm validate` and `signvlm preprocess` find everything up to date. Both then run in
processes of their own; seconds are by the wall clock, start-up included, and of processor time, which other work on
the machine disturbs less; memory is the process's peak. With WLASL's index: reading it, matching the core glossary,
drawing each split and counting what leaks, over all instances. Prints tables and, as the last line, one JSON object.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np

from data_engineering.clip import Manifests, write_json
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings

GLOSSES, SIGNERS = 2000, 100
LIMITS, SMALL = ValidateSettings(workers=1), PreprocessSettings(size=16, num_frames=2, workers=1)


def tiny_clip(path: Path) -> bytes:
    """Encodes a moving square of 6 frames; returns the file's bytes."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(6):
            picture = np.full((48, 64, 3), 80, np.uint8)
            picture[8:32, 8 * index : 8 * index + 16] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def make_root(root: Path, clips: int) -> Path:
    """Writes a data root that is validated and preprocessed; returns its configuration."""
    from data_engineering.preprocess import preprocess
    from data_engineering.validate import validate

    videos = root / "raw_videos"
    videos.mkdir(parents=True)
    body = tiny_clip(root / "one.mp4")
    entries: dict[str, list[dict[str, Any]]] = {}
    for number in range(clips):
        # A box that players pass over makes each file one of its own.
        (videos / f"{number:05}.mp4").write_bytes(body + b"\0\0\0\x10free" + b"%08d" % number)
        instance = {"video_id": f"{number:05}", "signer_id": number % SIGNERS, "split": "train", "bbox": [4, 4, 44, 44]}
        instance |= {"url": f"https://h.example/{number}.mp4", "fps": 25, "frame_start": 1, "frame_end": -1}
        entries.setdefault(f"gloss {number % GLOSSES}", []).append(instance)
    index = root / "index.json"

    # One for real, under the same settings, then all as if it had been each of them.
    listed = [{"gloss": gloss, "instances": instances} for gloss, instances in entries.items()]
    index.write_text(json.dumps([{"gloss": "gloss 0", "instances": listed[0]["instances"][:1]}]))
    data = DataSettings(root=root, index=index)
    validate(data, DownloadSettings(), LIMITS, SMALL, "Which sign is this?", progress=False)
    preprocess(data, SMALL, progress=False)
    index.write_text(json.dumps(listed))
    rows = forge_validated(data)
    forge_frames(root, rows)

    config = root / "scale.yaml"
    config.write_text(
        f"data: {{root: {root}, index: {index}}}\nvalidate: {{workers: 1}}\n"
        "preprocess: {size: 16, num_frames: 2, workers: 1}\nmodel: {prompt: Which sign is this?}\n"
    )
    call(config, "validate")  # writes the health report of all of them
    return config


def forge_validated(data: DataSettings) -> list[dict[str, Any]]:
    """Writes wlasl_validated.json with the one judged row for every clip; all clips have the same range."""
    from data_engineering.stage import expected

    manifest = Manifests(data.root).validated
    (found,) = json.loads(manifest.read_text())
    rows = []
    for clip in expected(data).clips:
        path = clip.path(data.root)
        status = path.stat()
        own = {"bytes": status.st_size, "mtime_ns": status.st_mtime_ns}
        media = found["media"] | own | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        rows.append(clip.row(data.root, "Which sign is this?") | {"media": media, "notes": found["notes"]})
    write_json(manifest, rows)
    return rows


def forge_frames(root: Path, rows: list[dict[str, Any]]) -> None:
    """Writes frames/ with the one stored row for every clip."""
    from datasets import Dataset, DatasetDict

    from data_engineering.frames import FEATURES, FOLDER, about_frames, load_frames, row_key

    index = json.loads(Manifests(root).validated.read_text())
    write_json(Manifests(root).validated, index[:1])
    stored = load_frames(root, SMALL)
    write_json(Manifests(root).validated, index)
    about = about_frames(stored) | {"clips": {row["video_id"]: row_key(row, SMALL) for row in rows}}
    first = stored["train"][0]
    copies = [first | {"clip_id": r["video_id"], "gloss": r["gloss"], "signer_id": str(r["signer_id"])} for r in rows]
    split = Dataset.from_list(copies, features=FEATURES)
    empty = split.select([])
    made = DatasetDict({"train": split, "validation": empty, "test": empty})
    for each in made.values():
        each.info.description = json.dumps(about)
    shutil.rmtree(root / FOLDER)
    made.save_to_disk(str(root / FOLDER), num_shards={"train": 1, "validation": 1, "test": 1})


def call(config: Path, verb: str) -> dict[str, float | str]:
    """Runs a verb; returns wall and processor seconds, peak memory in MB, and what it printed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "signvlm", verb, "--config", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{verb} ended with status {process.returncode}")
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return {
        "wall": time.perf_counter() - began,
        "busy": usage.ru_utime + usage.ru_stime,
        "peak": peak,
        "said": said,
    }


def apart(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a process of its own: the verbs' peak memory would count what this process once had."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def nothing_to_do(clips: int, repeats: int) -> dict[str, float]:
    """Measures a second run of both verbs over so many clips."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        config = apart(make_root, Path(scratch) / "data", clips)
        for verb in ("validate", "preprocess"):
            runs = [call(config, verb) for _ in range(repeats)]
            for run in runs:
                if f"{clips:,} up to date" not in str(run["said"]):
                    raise SystemExit(f"{verb} had something to do:\n{run['said']}")
            figures |= {
                f"{verb}_{clips}_seconds": min(float(run["wall"]) for run in runs),
                f"{verb}_{clips}_processor_seconds": min(float(run["busy"]) for run in runs),
                f"{verb}_{clips}_peak_mb": max(float(run["peak"]) for run in runs),
            }
    return figures


def whole_index(path: Path, repeats: int) -> dict[str, float]:
    """Measures what precedes the first clip, over the whole index."""
    from data_engineering.folder import read_clips
    from data_engineering.glossary import select
    from data_engineering.splits import assign, leakage

    figures: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        taken = []
        for _ in range(repeats):
            began = time.perf_counter(), time.process_time()
            result = work()
            taken.append((time.perf_counter() - began[0], time.process_time() - began[1]))
        figures[f"{name}_seconds"] = min(wall for wall, _ in taken)
        figures[f"{name}_processor_seconds"] = min(busy for _, busy in taken)
        return result

    clips = timed("index", lambda: read_clips(path)).clips
    timed("core_glossary", lambda: select(clips, "core"))
    for split in ("official", "signer", "gloss"):
        timed(f"split_{split}", lambda split=split: assign(clips, split, 0))
    timed("leakage", lambda: leakage(clips))
    figures["index_to_leakage_seconds"] = sum(
        v for k, v in figures.items() if k.endswith("_seconds") and "proc" not in k
    )
    figures["instances"] = len(clips)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, nargs="?", help="WLASL_v0.3.json, or the same with .gz")
    parser.add_argument("--clips", type=int, nargs="+", default=[20_000, 2_000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    figures = apart(whole_index, arguments.index, arguments.repeats) if arguments.index else {}
    for clips in arguments.clips:
        figures |= nothing_to_do(clips, arguments.repeats)
    for name, value in figures.items():
        print(f"{name:44} {value:,.2f}".removesuffix(".00"))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
