"""How fast clips become frames, against what decoding alone reaches in the same worker processes.

    python benchmarks/preprocess.py CLIPS [--repeats 3] [--workers N]

CLIPS is a folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4. Each repeat runs both, one after the
other, so that a busy machine slows both; the ratio is taken a repeat. `decoding` opens each clip and reads the very
frames that preprocessing stores, and throws them away; both include starting the workers. Prints a table and, as the
last line, one JSON object with the same figures.
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.container import inspect
from data_engineering.decoders import open_reader
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings


def decode(job: tuple[dict[str, Any], PreprocessSettings]) -> int:
    """Reads the frames that preprocessing would store; runs in a worker."""
    row, settings = job
    media = row["media"]
    count = settings.stored_frames or settings.num_frames
    centres = media["start"] + (np.arange(count) + 0.5) * (media["end"] - media["start"]) / count
    container = inspect(Path(row["video_path"]))
    return len(open_reader(container).at(centres, media["start"], media["end"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", type=Path, help="folder with clips_index.json and clips/")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--workers", type=int, default=None)
    arguments = parser.parse_args()

    # Imported here: a worker that is spawned imports this file, and decoding needs no Arrow.
    from data_engineering.frames import load_frames, row_frames
    from data_engineering.preprocess import preprocess
    from data_engineering.validate import validate

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "raw_videos").mkdir()
        for clip in (arguments.clips / "clips").glob("*.mp4"):
            shutil.copyfile(clip, root / "raw_videos" / clip.name)
        data = DataSettings(root=root, index=arguments.clips / "clips_index.json")
        limits = ValidateSettings(workers=arguments.workers)
        settings = PreprocessSettings(workers=arguments.workers)

        began = time.perf_counter()
        validate(data, DownloadSettings(), limits, settings, "Which sign is this?", progress=False)
        validating = time.perf_counter() - began
        rows = json.loads((root / "datasets" / "wlasl_validated.json").read_text())

        pairs = []
        for _ in range(arguments.repeats):
            shutil.rmtree(root / "frames", ignore_errors=True)
            jobs = [(row, settings) for row in rows]
            began = time.perf_counter()
            for _ in run_many(decode, jobs, workers=arguments.workers, timeout=60, max_memory=limits.max_memory):
                pass
            middle = time.perf_counter()
            preprocess(data, settings, progress=False)
            pairs.append((middle - began, time.perf_counter() - middle))

        train = load_frames(root, settings)["train"]
        reads = []
        for index in range(len(train)):
            began = time.perf_counter()
            row_frames(train[index])
            reads.append(time.perf_counter() - began)

    figures = {
        "clips": len(rows),
        "workers": arguments.workers or cores(),
        "validate_clips_per_second": len(rows) / validating,
        "decode_clips_per_second": len(rows) / statistics.median(a for a, _ in pairs),
        "preprocess_clips_per_second": len(rows) / statistics.median(b for _, b in pairs),
        "preprocess_to_decode_ratio": statistics.median(a / b for a, b in pairs),
        "ratios": [a / b for a, b in pairs],
        "row_read_ms_median": 1000 * statistics.median(reads),
        "row_read_ms_max": 1000 * max(reads),
    }
    for name, value in figures.items():
        shown = ", ".join(f"{v:.2f}" for v in value) if isinstance(value, list) else f"{value:.2f}".removesuffix(".00")
        print(f"{name:32} {shown}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
