"""Which small network names signs from key points best, on people it never saw?

    python benchmarks/pose_networks.py [--networks conv_gru,st_gcn] [--teachers 16] [--takes 2] [--tested 12]
                                       [--epochs 6] [--seeds 1]

Trains both networks of `model.family: pose`, as `signvlm train --config params/pose.yaml` does, on the avatar's key
points of the demo's signs: whole clips at their own frame rates, and tests them on other signers. Once with the exact
points, once as an extractor would have found them: with jitter, hands lost where they move fast, and wrong hands
(`data_engineering.pose.realism`). Four more signers choose the epoch. Prints a table and, as its last line, the same
figures as JSON.
"""

import argparse
import json
import time

import numpy as np
import torch

from data_engineering.pose.normalize import normalized
from data_engineering.pose.realism import realistic
from data_engineering.synthetic.clips import record
from data_engineering.synthetic.exact import exact_pose
from data_engineering.synthetic.signer import Signer
from data_engineering.synthetic.signs import load_signs
from signvlm.config import PoseSettings, load
from signvlm.pose.fit import Fit, Labelled, run
from signvlm.pose.network import build, count_parameters
from signvlm.pose.prepare import arranged
from signvlm.pose.state import State

CHOOSING = 4  # signers


def poses(signs, first, people, takes):
    """Exact key points (points, times, size) of every sign by new signers, and the signs' numbers."""
    clips, labels = [], []
    for person in range(people):
        signer = Signer.sample(np.random.default_rng([first, person]))
        for label, sign in enumerate(signs):
            for take in range(takes):
                seed = int(np.random.default_rng([first, person, label, take]).integers(2**31))
                clips.append(exact_pose(record(sign, signer, seed)[0]))
                labels.append(label)
    return clips, np.array(labels, dtype=np.int64)


def shown(clips, labels, rate, drop_outs):
    """What a network is shown of clips, with an extractor's errors or without."""
    prepared = []
    for number, pose in enumerate(clips):
        points = normalized(pose.points, pose.size)
        if drop_outs:
            points = realistic(points, pose.times, np.random.default_rng([5, number]))
        prepared.append(arranged(points, pose.times, rate))
    return Labelled(prepared, labels)


def trained(name, glosses, parts, epochs, seed):
    """Trains a network; returns its figures on the test signers."""
    settings = [f"pose.network={name}", f"pose.epochs={epochs}", f"pose.seed={seed}"]
    config = load("params/pose.yaml", settings)
    torch.manual_seed(seed)
    network = build(config.pose, glosses)
    started = time.perf_counter()
    fit = Fit(network, parts["train"], parts["validation"], config, State())
    run(fit, lambda _: None)
    seconds = time.perf_counter() - started
    network.load_state_dict(fit.state.best)
    started = time.perf_counter()
    right = fit.log_probs(parts["test"].clips).argmax(axis=1) == parts["test"].labels
    return {
        "top1": float(right.mean()),
        "wrong": int((~right).sum()),
        "weights": count_parameters(network),
        "epochs": fit.state.epoch,
        "seconds": seconds,
        "ms_a_clip": 1000 * (time.perf_counter() - started) / len(right),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default="conv_gru,st_gcn")
    parser.add_argument("--teachers", type=int, default=16, help="signers to learn from")
    parser.add_argument("--takes", type=int, default=2, help="clips of each sign by each of them")
    parser.add_argument("--tested", type=int, default=12, help="signers never seen")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    from signvlm.demo import GLOSSES

    known = load_signs()
    signs = [known[gloss] for gloss in GLOSSES]
    people = {"train": arguments.teachers, "validation": CHOOSING, "test": arguments.tested}
    takes = {"train": arguments.takes, "validation": 1, "test": 1}
    filmed = {name: poses(signs, 10 + number, people[name], takes[name]) for number, name in enumerate(people)}
    rate = PoseSettings().rate
    print(
        f"{len(signs)} signs, {len(filmed['train'][0])} clips by {arguments.teachers} signers; tested on "
        f"{len(filmed['test'][0])} by {arguments.tested} others; {torch.get_num_threads()} threads\n"
    )
    heads = f"{'seed':>5}{'top-1':>8}{'wrong':>7}{'weights':>10}{'epochs':>8}{'s':>8}{'ms/clip':>9}"
    print(f"  {'network':<10}{'points':<12}{heads}")
    rows = []
    for drop_outs in (False, True):
        parts = {name: shown(*each, rate, drop_outs) for name, each in filmed.items()}
        for name in arguments.networks.split(","):
            for seed in range(arguments.seeds):
                row = {"network": name, "points": "extracted" if drop_outs else "exact", "seed": seed}
                row |= trained(name, len(signs), parts, arguments.epochs, seed)
                rows.append(row)
                print(
                    f"  {name:<10}{row['points']:<12}{seed:>5}{row['top1']:>8.1%}{row['wrong']:>7}{row['weights']:>10,}"
                    f"{row['epochs']:>8}{row['seconds']:>8.1f}{row['ms_a_clip']:>9.2f}",
                    flush=True,
                )
    print(json.dumps({"signs": len(signs), "clips": len(filmed["train"][0]), "rows": rows}))


if __name__ == "__main__":
    main()
