"""How fast clips become frames, against what decoding alone reaches in the same worker processes.

    python benchmarks/preprocess.py CLIPS [--repeats 3] [--workers N]

CLIPS is a folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4. Each repeat runs both, one after the
other, so that a busy machine slows both; the ratio is taken a repeat. `decode` is decord alone: it opens each clip,
reads the frames that preprocessing stores and throws them away. Both include starting the workers. Seconds are given
by the wall clock, and of processor time, which other work on the machine disturbs less. Prints a table and, as the
last line, one JSON object with the same figures.
"""

import argparse
import json
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from data_engineering.cpu_decord import decord
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DataSettings, DownloadSettings, PreprocessSettings, ValidateSettings


def decode(job: tuple[dict[str, Any], PreprocessSettings]) -> int:
    """Reads the frames that preprocessing would store; runs in a worker."""
    row, settings = job
    media = row["media"]
    count = settings.stored_frames or settings.num_frames
    centres = media["start"] + (np.arange(count) + 0.5) * (media["end"] - media["start"]) / count
    reader = decord.VideoReader(row["video_path"], num_threads=1)
    indices = np.minimum((centres * media["fps"]).astype(int), len(reader) - 1)
    return len(reader.get_batch(indices.tolist()).asnumpy())


def clock() -> tuple[float, float]:
    """Seconds of the wall clock, and of processor time of this process and the workers that have ended."""
    own, workers = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter(), own.ru_utime + own.ru_stime + workers.ru_utime + workers.ru_stime


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
            began = clock()
            for _ in run_many(decode, jobs, workers=arguments.workers, timeout=60, max_memory=limits.max_memory):
                pass
            middle = clock()
            preprocess(data, settings, progress=False)
            end = clock()
            pairs.append([(middle[i] - began[i], end[i] - middle[i]) for i in (0, 1)])

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
        "decode_clips_per_second": len(rows) / statistics.median(wall[0] for wall, _ in pairs),
        "preprocess_clips_per_second": len(rows) / statistics.median(wall[1] for wall, _ in pairs),
        "ratio": statistics.median(wall[0] / wall[1] for wall, _ in pairs),
        "ratio_of_processor_time": statistics.median(busy[0] / busy[1] for _, busy in pairs),
        "ratios": [wall[0] / wall[1] for wall, _ in pairs],
        "ratios_of_processor_time": [busy[0] / busy[1] for _, busy in pairs],
        "row_read_ms_median": 1000 * statistics.median(reads),
        "row_read_ms_max": 1000 * max(reads),
    }
    for name, value in figures.items():
        shown = ", ".join(f"{v:.2f}" for v in value) if isinstance(value, list) else f"{value:.2f}".removesuffix(".00")
        print(f"{name:32} {shown}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
