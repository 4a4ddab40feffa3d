"""Is the avatar a good instrument? And how fast is it?

    python benchmarks/avatar.py [--signers 12] [--frames 8]

Signer-independent (leave one signer out, left-handers mirrored), one nearest neighbour on the exact key points: one
mid-stroke frame, the wrists alone, the whole sequence (dynamic time warping), and every minimal pair by itself. A good
instrument needs the sequence: one frame at most 80 %, wrists at most 65 %, the sequence at least 95 %. Prints a table
and, as its last line, the same figures as JSON.
"""

import argparse
import dataclasses
import json
import time

import cv2
import numpy as np

from data_engineering.synthetic.body import Figure, outlines
from data_engineering.synthetic.camera import KEYPOINTS, film, keypoints
from data_engineering.synthetic.clips import record, render_clip
from data_engineering.synthetic.motion import perform
from data_engineering.synthetic.phonology import CHANNELS, minimal_pairs
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from data_engineering.synthetic.timing import timing

WRISTS = [KEYPOINTS.index(name) for name in ("left_wrist", "right_wrist")]
SHOULDERS = [KEYPOINTS.index(name) for name in ("left_shoulder", "right_shoulder")]
# Face points twice would count twice; what is below the hips is not seen.
USED = [
    index
    for index, name in enumerate(KEYPOINTS)
    if not name.startswith("face_") and not name.endswith(("hip", "knee", "ankle"))
]


def points_of(sign, signer, seed, times):
    """Key points (T, 64, 2) at relative times 0..1 of the clip, in shoulder widths, mirrored to right-handed."""
    rng = np.random.default_rng(seed)
    when = timing(sign, signer, rng)
    at = np.asarray(times) * when.duration if times is not None else np.array([(when.stroke + when.retraction) / 2])
    at = np.append(at, when.duration)
    # The mirror image of a left-hander is a right-hander.
    signer = dataclasses.replace(signer, right_handed=True)
    performance = perform(sign, signer, at, when, rng)
    points = keypoints(film(Figure(signer, performance, *outlines(signer)), performance.frames, signer, rng), signer)[
        0
    ][:-1]
    middle = points[:, SHOULDERS].mean(axis=1, keepdims=True)
    width = np.linalg.norm(points[:, SHOULDERS[0]] - points[:, SHOULDERS[1]], axis=-1).mean()
    return (points - middle) / width


def features(points):
    """Where the body's points are, and each hand's own shape about its wrist, which is small but tells as much."""
    hands = [points[:, start : start + 21] - points[:, start : start + 1] for start in (17, 38)]
    return np.concatenate([points[:, USED], *(2.0 * hand for hand in hands)], axis=1).reshape(len(points), -1)


def warped(one, others):
    """Dynamic-time-warping distances of (T, D) to (N, T, D): (N,)."""
    cost = np.linalg.norm(one[None, :, None] - others[:, None], axis=-1)
    total = np.full((len(others), len(one) + 1, others.shape[1] + 1), np.inf)
    total[:, 0, 0] = 0
    for i in range(1, total.shape[1]):
        for j in range(1, total.shape[2]):
            best = np.minimum(np.minimum(total[:, i - 1, j], total[:, i, j - 1]), total[:, i - 1, j - 1])
            total[:, i, j] = cost[:, i - 1, j - 1] + best
    return total[:, -1, -1]


def leave_one_signer_out(distances, labels, signers):
    """Nearest-neighbour answers: (N,) labels, each from the other signers only."""
    masked = np.where(signers[:, None] == signers[None], np.inf, distances)
    return labels[masked.argmin(axis=1)]


def pair_accuracy(distances, labels, signers, pairs):
    """Accuracy of each pair when only its two signs are on offer."""
    masked = np.where(signers[:, None] == signers[None], np.inf, distances)
    result = []
    for one, other in pairs:
        rows = np.isin(labels, (one, other))
        near = labels[rows][masked[np.ix_(rows, rows)].argmin(axis=1)]
        result.append(float((near == labels[rows]).mean()))
    return result


def speed():
    """CPU milliseconds a frame: in memory at 64 px, and filmed (not encoded) at 448 px."""
    cv2.setNumThreads(1)
    signs = list(load_signs().values())
    people = [Signer.sample(np.random.default_rng([2, number])) for number in range(12)]
    start = time.process_time()
    for number, signer in enumerate(people):
        render_clip(signs[number * 5], signer, number)
    small = (time.process_time() - start) / (8 * len(people)) * 1e3
    frames, start = 0, time.process_time()
    for number, signer in enumerate(people[:6]):
        large = dataclasses.replace(signer, width=448, height=448)
        frames += sum(1 for _ in record(signs[number * 7], large, number)[1])
    return small, (time.process_time() - start) / frames * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signers", type=int, default=12)
    parser.add_argument("--frames", type=int, default=8)
    arguments = parser.parse_args()
    signs = load_signs()
    glosses = list(signs)
    people = [Signer.sample(np.random.default_rng([1, number])) for number in range(arguments.signers)]
    times = (np.arange(arguments.frames) + 0.5) / arguments.frames
    cells = [(label, number) for label in range(len(glosses)) for number in range(len(people))]
    labels, signers = (np.array(column) for column in zip(*cells, strict=True))
    clips = np.stack([points_of(signs[glosses[a]], people[b], 100 * a + b, times) for a, b in cells])
    stills = np.stack([points_of(signs[glosses[a]], people[b], 100 * a + b, None) for a, b in cells])

    still = np.stack([features(points) for points in stills])[:, 0]
    wrists = clips[:, :, WRISTS].reshape(len(cells), -1, 4)
    whole = np.stack([features(points) for points in clips])
    distances = {
        "one_frame": np.linalg.norm(still[:, None] - still[None], axis=-1),
        "wrists": np.stack([warped(clip, wrists) for clip in wrists]),
        "sequence": np.stack([warped(clip, whole) for clip in whole]),
    }
    figures = {
        name: float((leave_one_signer_out(d, labels, signers) == labels).mean()) for name, d in distances.items()
    }
    print(f"{len(glosses)} signs, {len(people)} signers, {arguments.frames} frames: leave one signer out, 1-NN\n")
    for name, wanted in (("one_frame", "<= 80 %"), ("wrists", "<= 65 %"), ("sequence", ">= 95 %")):
        print(f"  {name:<10} {figures[name]:6.1%}   wanted {wanted}")
    pairs = minimal_pairs(signs)
    numbers = [(glosses.index(one), glosses.index(other)) for one, other, _ in pairs]
    alone = {name: pair_accuracy(d, labels, signers, numbers) for name, d in distances.items()}
    print(f"\n  {'minimal pairs by':<18}{'pairs':>6}{'one frame':>12}{'wrists':>9}{'sequence':>10}")
    for channel in CHANNELS:
        rows = [place for place, pair in enumerate(pairs) if pair[2] == channel]
        means = [float(np.mean([alone[name][row] for row in rows])) for name in distances]
        figures |= {f"pairs_{channel}_{name}": mean for name, mean in zip(distances, means, strict=True)}
        print(f"  {channel:<18}{len(rows):>6}{means[0]:>12.1%}{means[1]:>9.1%}{means[2]:>10.1%}")
    worst = sorted(zip(alone["sequence"], pairs, strict=True))[:6]
    print("\n  hardest pairs: " + ", ".join(f"{one}/{other} {score:.0%}" for score, (one, other, _) in worst))
    figures["ms_a_frame_64"], figures["ms_a_frame_448"] = speed()
    small, large = figures["ms_a_frame_64"], figures["ms_a_frame_448"]
    print(f"\n  {small:.2f} ms a frame at 64 px, {large:.2f} ms at 448 px (CPU time, one core)")
    print(json.dumps({name: round(value, 4) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
