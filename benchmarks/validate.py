"""How fast clips are validated, against bare loops that decode the same frames in the same number of processes.

    python benchmarks/validate.py [CLIPS] [--repeats 3] [--workers N]

CLIPS is a folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4; without it the avatar signs 72. Each
repeat runs all four one after the other, so that a busy machine slows all, and the ratios are taken a repeat. `decord`
opens each file with decord and makes RGB pictures of the frames of the sign; `pyav` does so with PyAV; `codec` has PyAV
decode the same frames and throws them away before they are pictures. `validate` is what the verb does with each file:
sniffed, demuxed, decoded to the end of its range, looked at for black, frozen and damaged frames, for what moves and
what it looks like, opened with decord, hashed. All include starting the workers. Prints a table and, as the last line,
one JSON object with the same figures.
"""

import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from clip_folder import clock, data_root, options

from data_engineering.container import open_container, video_stream
from data_engineering.cpu_decord import decord
from data_engineering.judge import Job, judge
from data_engineering.reasons import ClipError
from data_engineering.sandbox import cores, run_many
from data_engineering.settings import DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.sniff import sniff

NAMES = ("codec", "pyav", "decord", "validate")


def bare_pyav(row: dict[str, Any], *, pictures: bool = True) -> int:
    """Decodes the frames of a validated row with PyAV; runs in a worker."""
    path, media, count = Path(row["video_path"]), row["media"], 0
    with open_container(path, sniff(path)) as container:
        stream = video_stream(container)
        if media["start"] > 1:
            container.seek(int((media["start"] - 1) / float(stream.time_base)), stream=stream)
        for frame in container.decode(stream):
            if frame.time >= media["end"]:
                break
            if pictures:
                frame.to_ndarray(format="rgb24")
            count += 1
    return count


def bare_codec(row: dict[str, Any]) -> int:
    """The same without pictures; runs in a worker."""
    return bare_pyav(row, pictures=False)


def bare_decord(row: dict[str, Any]) -> int:
    """Decodes the frames of a validated row with decord; runs in a worker."""
    media = row["media"]
    reader = decord.VideoReader(row["video_path"], num_threads=1)
    starts = reader.get_frame_timestamp(range(len(reader)))[:, 0]
    first, behind = np.searchsorted(starts - starts[0], [media["start"] - 1e-3, media["end"] - 1e-3])
    if first:
        reader.seek_accurate(int(first))
    for _ in range(first, behind):
        reader.next().asnumpy()
    return int(behind - first)


def timed(function: Callable[[Any], Any], items: list[Any], workers: int | None) -> tuple[float, float]:
    """Seconds of the wall clock and of processor time that all items take."""
    began = clock()
    for _, outcome in run_many(function, items, workers=workers, timeout=120, max_memory=ValidateSettings().max_memory):
        if isinstance(outcome, ClipError):
            raise SystemExit(f"{function.__name__}: {outcome}")
    end = clock()
    return end[0] - began[0], end[1] - began[1]


def main() -> None:
    arguments = options(__doc__.splitlines()[0])

    # Imported here: a worker that is spawned imports this file, and decoding needs no report.
    from data_engineering.rows import validated_rows
    from data_engineering.validate import validate

    with tempfile.TemporaryDirectory() as scratch:
        data = data_root(arguments.clips, Path(scratch))
        limits, settings = ValidateSettings(workers=arguments.workers), PreprocessSettings()
        began = clock()
        validate(data, DownloadSettings(), limits, settings, "Which sign is this?", progress=False)
        whole = clock()[0] - began[0]
        rows = validated_rows(data.root)
        jobs = [
            Job(
                Path(row["video_path"]), None, row["frame_start"], row["frame_end"], row["fps"], False, limits, settings
            )
            for row in rows
        ]
        runs = [
            (
                timed(bare_codec, rows, arguments.workers),
                timed(bare_pyav, rows, arguments.workers),
                timed(bare_decord, rows, arguments.workers),
                timed(judge, jobs, arguments.workers),
            )
            for _ in range(arguments.repeats)
        ]

    count = len(rows)
    figures: dict[str, Any] = {
        "clips": count,
        "frames": sum(row["media"]["frames"] for row in rows),
        "workers": arguments.workers or cores(),
        "whole_run_with_report_seconds": whole,
    }
    for place, name in enumerate(NAMES):
        figures[f"{name}_clips_per_second"] = count / statistics.median(run[place][0] for run in runs)
        figures[f"{name}_processor_ms_a_clip"] = 1000 / count * statistics.median(run[place][1] for run in runs)
    for place, name in enumerate(NAMES[:-1]):
        figures[f"ratio_to_{name}"] = statistics.median(run[place][0] / run[-1][0] for run in runs)
        figures[f"ratio_to_{name}_of_processor_time"] = statistics.median(run[place][1] / run[-1][1] for run in runs)
    for name, value in figures.items():
        print(f"{name:36} {f'{value:.2f}'.removesuffix('.00')}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
