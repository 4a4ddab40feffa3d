"""How fast key points are extracted, against what MediaPipe alone reaches on the same frames; and how much it finds.

    python benchmarks/pose.py CLIPS [--clips 8] [--repeats 3]

CLIPS is a folder with clips_index.json (WLASL-shaped) and clips/<video_id>.mp4 of real people. `ours` is what a worker
of `signvlm pose` does: decode, hand over, extract, read the answers. `alone` is MediaPipe in its own environment on the
same frames, decoded beforehand and held in memory. Both run in one process and in two, the clips dealt out to them
alike; starting is left out of both. Each repeat runs the one after the other, so that a busy machine slows both, and
the ratio is taken a repeat, of the wall clock and of processor time, which other work disturbs less. `stage` is the
whole verb by the wall clock, starting and the health report included.
Detection rates are those of the health report. Prints a table and, as the last line, one JSON object with the figures.
"""

import argparse
import json
import multiprocessing
import statistics
import subprocess
import sys
import tempfile
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import psutil
from clip_folder import data_root

from data_engineering.clip import Manifests, read_json, write_json
from data_engineering.container import inspect
from data_engineering.pose.environment import prepared
from data_engineering.pose.extract import Job, extract, shown_frames
from data_engineering.pose.extractor import HOLISTIC, Program
from data_engineering.pose.rates import PARTS
from data_engineering.pose.stage import pose
from data_engineering.rows import validated_rows
from data_engineering.settings import DownloadSettings, PreprocessSettings, ValidateSettings
from data_engineering.validate import validate

PROCESSES = (1, 2)
# Runs in the extractor's environment: frames of clips in .npy files, a line when it is ready, one when it is done.
ALONE = """
import json, sys, time
import numpy as np
from mediapipe.python.solutions.holistic import Holistic
settings, *files = sys.argv[1:]
clips = [np.load(file) for file in files]
holistic = Holistic(static_image_mode=False, **json.loads(settings))
for frame in clips[0][:5]:
    holistic.process(frame)
print("ready", flush=True)
sys.stdin.readline()
began, busy = time.perf_counter(), time.process_time()
for clip in clips:
    holistic.reset()
    for frame in clip:
        holistic.process(frame)
print(time.perf_counter() - began, time.process_time() - busy, flush=True)
"""


def alone(program: Program, deals: list[list[Path]]) -> tuple[float, float]:
    """Returns the seconds that the slowest of the processes takes, and the processor's seconds of all."""
    running = [
        subprocess.Popen(
            [str(program.python), "-I", "-c", ALONE, json.dumps(program.settings), *map(str, files)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for files in deals
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return total([process.communicate()[0].split() for process in running])


def total(taken: list) -> tuple[float, float]:
    return max(float(wall) for wall, _ in taken), sum(float(busy) for _, busy in taken)


def processor_time() -> float:
    """Seconds of the processor that this worker and its extractor have taken."""
    family = [psutil.Process(), *psutil.Process().children()]
    return sum(times.user + times.system for times in (each.cpu_times() for each in family))


def work(jobs: list[Job], start: Barrier, answers: "multiprocessing.Queue[tuple[float, float]]") -> None:
    """One worker: its first clip starts the extractor, then all of them are timed."""
    extract(jobs[0])
    start.wait()
    began, busy = time.perf_counter(), processor_time()
    for job in jobs:
        extract(job)
    answers.put((time.perf_counter() - began, processor_time() - busy))


def ours(deals: list[list[Job]]) -> tuple[float, float]:
    """Returns the seconds that the slowest of the workers takes, and the processor's seconds of all."""
    context = multiprocessing.get_context("spawn")
    start, answers = context.Barrier(len(deals)), context.Queue()
    workers = [context.Process(target=work, args=(jobs, start, answers)) for jobs in deals]
    for worker in workers:
        worker.start()
    taken = [answers.get() for _ in workers]
    for worker in workers:
        worker.join()
    return total(taken)


def dealt(rows: list[dict], count: int) -> list[list[int]]:
    """Deals the clips out, the longest first to whoever has least."""
    deals: list[list[int]] = [[] for _ in range(count)]
    frames = [row["media"]["frames"] for row in rows]
    for clip in sorted(range(len(rows)), key=lambda clip: -frames[clip]):
        min(deals, key=lambda deal: sum(frames[each] for each in deal)).append(clip)
    return deals


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="CLIPS", help="folder with clips_index.json and clips/")
    parser.add_argument("--clips", type=int, default=8, help="how many, evenly from the whole list")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    program = prepared(HOLISTIC, lambda line: print(line, file=sys.stderr))
    limits, preprocess = ValidateSettings(), PreprocessSettings()

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        root.mkdir()
        data = data_root(arguments.folder, root)
        validate(data, DownloadSettings(), limits, preprocess, "Which sign is this?", progress=False)
        every = validated_rows(root)
        rows = [every[i] for i in sorted({round(i) for i in np.linspace(0, len(every) - 1, arguments.clips)})]
        write_json(Manifests(root).validated, rows)
        jobs, files = [], []
        for row in rows:
            media, path = row["media"], Path(row["video_path"])
            jobs.append(Job(path, media["start"], media["end"], media["frames"], program, limits))
            files.append(Path(folder) / f"{row['video_id']}.npy")
            frames = shown_frames(inspect(path), media["start"], media["end"])
            np.save(files[-1], np.stack([frame for _, frame in frames]))

        frames_in_all = sum(row["media"]["frames"] for row in rows)
        figures: dict[str, object] = {"clips": len(rows), "frames": frames_in_all}
        pairs: dict[int, list[tuple[tuple[float, float], tuple[float, float]]]] = {count: [] for count in PROCESSES}
        for _ in range(arguments.repeats):
            for count in PROCESSES:
                deals = dealt(rows, count)
                theirs = alone(program, [[files[i] for i in deal] for deal in deals])
                pairs[count].append((theirs, ours([[jobs[i] for i in deal] for deal in deals])))
        for count, taken in pairs.items():
            figures[f"alone_frames_per_second_{count}"] = frames_in_all / statistics.median(t[0] for t, _ in taken)
            figures[f"ours_frames_per_second_{count}"] = frames_in_all / statistics.median(o[0] for _, o in taken)
            figures[f"ratio_{count}"] = statistics.median(t[0] / o[0] for t, o in taken)
            figures[f"ratios_{count}"] = [t[0] / o[0] for t, o in taken]
            figures[f"ratio_of_processor_time_{count}"] = statistics.median(t[1] / o[1] for t, o in taken)
            figures[f"ratios_of_processor_time_{count}"] = [t[1] / o[1] for t, o in taken]
        began = time.perf_counter()
        pose(data, limits, preprocess, program=program, tell=print, progress=False)
        figures["stage_seconds"] = time.perf_counter() - began
        found = read_json(Manifests(root).health, "")["poses"]
        figures |= {name: found[name] for name in (*PARTS, "active", "active_any_hand")}

    for name, value in figures.items():
        shown = ", ".join(f"{v:.3f}" for v in value) if isinstance(value, list) else f"{value:.3f}".removesuffix(".000")
        print(f"{name:28} {shown}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
