"""How fast the avatar is rendered and encoded.

    python benchmarks/render.py [--processes 2] [--clips 24] [--rounds 3] [--size 448]

Clips of many signs by many signers are filmed at SIZE x SIZE and encoded as mp4 files in parallel processes, each on
one thread; wanted are 150 frames a second at 448 px on two cores. Rounds are repeated, for a shared machine is noisy:
the best and the median are shown, beside the CPU time of a frame, which other programs hardly change. Prints a table
and, as its last line, the same figures as JSON.
"""

import argparse
import dataclasses
import json
import multiprocessing
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np

from data_engineering.synthetic.clips import record, render_clip, render_video
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs

WANTED = 150


def cast(size, clips):
    """(sign, signer) of each clip."""
    signs = list(load_signs().values())
    people = [Signer.sample(np.random.default_rng([2, number])) for number in range(clips)]
    return [
        (signs[7 * number % len(signs)], dataclasses.replace(signer, width=size, height=size))
        for number, signer in enumerate(people)
    ]


def make(job):
    """Writes a clip; returns its frames and the CPU seconds that they took."""
    sign, signer, seed, path = job
    cv2.setNumThreads(1)
    start = time.process_time()
    recording = render_video(sign, signer, seed, path)
    path.unlink()
    return len(recording.phases), time.process_time() - start


def filmed(pairs):
    """CPU milliseconds a frame, in this process: filmed but not encoded; and in memory for training, at 64 px."""
    cv2.setNumThreads(1)
    frames, start = 0, time.process_time()
    for number, (sign, signer) in enumerate(pairs):
        frames += sum(1 for _ in record(sign, signer, number)[1])
    large = (time.process_time() - start) / frames
    start = time.process_time()
    for number, (sign, signer) in enumerate(pairs):
        render_clip(sign, signer, number, num_frames=8, size=64)
    return large * 1e3, (time.process_time() - start) / (8 * len(pairs)) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--size", type=int, default=448)
    arguments = parser.parse_args()
    pairs = cast(arguments.size, arguments.clips)
    rates, cpu = [], []
    with tempfile.TemporaryDirectory() as folder:
        jobs = [(sign, signer, seed, Path(folder) / f"{seed}.mp4") for seed, (sign, signer) in enumerate(pairs)]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.processes, mp_context=spawn) as pool:
            # The first clips load the libraries and are not counted.
            list(pool.map(make, jobs[: arguments.processes]))
            for _ in range(arguments.rounds):
                start = time.perf_counter()
                made = list(pool.map(make, jobs))
                frames = sum(count for count, _ in made)
                rates.append(frames / (time.perf_counter() - start))
                cpu.append(sum(seconds for _, seconds in made) / frames * 1e3)
    large, small = filmed(pairs[:8])
    figures = {
        "processes": arguments.processes,
        "size": arguments.size,
        "frames": frames,
        "fps_best": max(rates),
        "fps_median": statistics.median(rates),
        "cpu_ms_a_frame": min(cpu),
        "cpu_fps": arguments.processes * 1e3 / min(cpu),
        "cpu_ms_filmed": large,
        "cpu_ms_a_frame_64": small,
    }
    print(
        f"{arguments.clips} clips, {frames} frames of {arguments.size} px into mp4, {arguments.processes} processes\n"
    )
    print(f"  frames a second    best {max(rates):6.0f}   median {statistics.median(rates):6.0f}   wanted >= {WANTED}")
    print(f"  CPU a frame        {min(cpu):6.2f} ms, {large:.2f} ms of it to film; {small:.2f} ms at 64 px in memory")
    print(f"  by CPU time        {figures['cpu_fps']:6.0f} frames a second, had each process a core to itself")
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
