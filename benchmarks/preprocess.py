"""How fast clips become frames, against what decoding alone reaches in the same worker processes.

    python benchmarks/preprocess.py [CLIPS] [--repeats 3] [--workers N]

CLIPS is a folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4; without it the avatar signs 72. Each
repeat runs both, one after the other, so that a busy machine slows both; the ratio is taken a repeat. `decode` is
decord alone: it opens each clip, reads the frames that preprocessing stores and throws them away. Both include starting
the workers. Seconds are given by the wall clock, and of processor time, which other work on the machine disturbs less.
A row's bytes and milliseconds to read are given as it is stored, raw, and for what it could be stored as instead:
Zstandard, a PNG or a JPEG a frame. Prints a table and, as the last line, one JSON object with the same figures.
"""

import json
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clip_folder import clock, data_root, options

from data_engineering.cpu_decord import decord
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DownloadSettings, PreprocessSettings, ValidateSettings


def decode(job: tuple[dict[str, Any], PreprocessSettings]) -> int:
    """Reads the frames that preprocessing would store; runs in a worker."""
    row, settings = job
    media = row["media"]
    count = settings.stored_frames or settings.num_frames
    centres = media["start"] + (np.arange(count) + 0.5) * (media["end"] - media["start"]) / count
    reader = decord.VideoReader(row["video_path"], num_threads=1)
    indices = np.minimum((centres * media["fps"]).astype(int), len(reader) - 1)
    return len(reader.get_batch(indices.tolist()).asnumpy())


def storage(rows: Any) -> dict[str, float]:
    """Bytes and milliseconds a row, as stored and compressed; milliseconds are medians of processor time."""
    # Here, as in `main`: workers import this file.
    import cv2
    import pyarrow as pa

    from data_engineering.frames import row_frames

    zstd = pa.Codec("zstd")
    bytes_, seconds = defaultdict(list), defaultdict(list)

    def measure(name: str, size: int, read: Callable[[], Any]) -> None:
        began = time.process_time()
        read()
        seconds[name].append(time.process_time() - began)
        bytes_[name].append(size)

    for index in range(min(len(rows), 40)):
        frames = row_frames(rows[index])
        measure("raw", frames.nbytes, lambda index=index: row_frames(rows[index]))
        packed = zstd.compress(frames.tobytes())
        measure("zstd", packed.size, lambda packed=packed, size=frames.nbytes: zstd.decompress(packed, size))
        for kind in ("png", "jpeg"):
            coded = [cv2.imencode(f".{kind}", frame)[1] for frame in frames]
            measure(
                kind,
                sum(len(c) for c in coded),
                lambda coded=coded: [cv2.imdecode(c, cv2.IMREAD_UNCHANGED) for c in coded],
            )
    return {
        f"{name}_{unit}": value
        for name in bytes_
        for unit, value in (
            ("bytes_a_row", statistics.mean(bytes_[name])),
            ("ms_a_row", 1000 * statistics.median(seconds[name])),
        )
    }


def main() -> None:
    arguments = options(__doc__.splitlines()[0])

    # Imported here: a worker that is spawned imports this file, and decoding needs no Arrow.
    from data_engineering.frames import load_frames, row_frames
    from data_engineering.preprocess import preprocess
    from data_engineering.validate import validate

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        data = data_root(arguments.clips, root)
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
        stored = storage(train)

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
        **stored,
    }
    for name, value in figures.items():
        shown = ", ".join(f"{v:.2f}" for v in value) if isinstance(value, list) else f"{value:.2f}".removesuffix(".00")
        print(f"{name:32} {shown}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
