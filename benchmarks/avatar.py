"""Is the avatar a good instrument?

    python benchmarks/avatar.py [--glosses demo|all|A,B,C] [--signers 12] [--teachers 16] [--frames 8]

Names signs from the exact key points of clips by signers who were never seen, at the demo's frame count and at the
times at which the pipeline samples. Size: the points are those of the demo's 64 px pictures, not rounded to pixels;
they are measured in shoulder widths, so the picture's size cancels. Left-handers are mirrored.

A good instrument needs the sequence: the nearest neighbour among other signers names at most 80 % from one mid-stroke
frame and at most 65 % from the wrists; from the whole sequence (dynamic time warping) at least 95 %. A small network,
taught by other signers with two takes each, is shown beside it for all three. Every minimal pair is also told apart
from what its own channel shows and nothing else, by the nearest neighbour and by a network. Prints tables and, as its
last line, the same figures as JSON.
"""

import argparse
import json

import numpy as np
from avatar_models import learned, nearest, straight, warped
from avatar_points import channel, clip_points, everything, people, wrists
from ruamel.yaml import YAML

from data_engineering.shipped import shipped
from data_engineering.synthetic.phonology import CHANNELS, minimal_pairs
from data_engineering.synthetic.signs import load_signs

DEMO = YAML(typ="safe").load(shipped("demo.yaml"))
WANTED = {"one_frame": "<= 80 %", "wrists": "<= 65 %", "sequence": ">= 95 %"}
# A pair has to be told apart at least this often from its own channel.
ENOUGH = 0.9


def glosses_of(words, signs):
    """What `--glosses` names. The demo is imported where it is asked for: half a minute of libraries come along."""
    if words == "all":
        return list(signs)
    if words == "demo":
        from signvlm.demo import GLOSSES

        return list(GLOSSES)
    return words.split(",")


def film_all(signs, signers, frames, takes, first):
    """Points (N, 1 + frames, 64, 2), labels (N,) and signers (N,) of every sign by every signer."""
    cells = [
        (label, person, take) for label in range(len(signs)) for person in range(len(signers)) for take in range(takes)
    ]
    clips = [clip_points(signs[a], signers[b], [first, a, b, take], frames) for a, b, take in cells]
    labels, persons, _ = (np.array(column) for column in zip(*cells, strict=True))
    return np.stack(clips), labels, persons


def views(clips):
    """What each question is answered from: (N, T, D)."""
    return {"one_frame": everything(clips[:, :1]), "wrists": wrists(clips[:, 1:]), "sequence": everything(clips[:, 1:])}


def pair_rows(pairs, glosses, clips, labels, persons, scores):
    """Per minimal pair: its channel, and the accuracy with only its two signs on offer, by what is looked at.

    `scores` (N, labels) by channel are those of the networks that saw nothing but that channel.
    """
    rows = []
    for one, other, name in pairs:
        both = [glosses.index(one), glosses.index(other)]
        chosen = np.isin(labels, both)
        mine, who, truth = clips[chosen], persons[chosen], labels[chosen]
        seen = {
            "one_frame": straight(everything(mine[:, 0])),
            "wrists": warped(wrists(mine[:, 1:])),
            "sequence": warped(everything(mine[:, 1:])),
            "own_nearest": warped(channel(mine[:, 1:], name)),
        }
        near = {key: float((nearest(each, truth, who) == truth).mean()) for key, each in seen.items()}
        named = np.array(both)[scores[name][chosen][:, both].argmax(axis=1)]
        rows.append({"pair": f"{one}/{other}", "channel": name, **near, "own_channel": float((named == truth).mean())})
    return rows


def print_pairs(rows):
    keys = ("one_frame", "wrists", "sequence", "own_nearest", "own_channel")
    print(f"\n  {'minimal pairs by':<18}{'pairs':>6}" + "".join(f"{key.replace('_', ' '):>13}" for key in keys))
    for name in CHANNELS:
        mine = [row for row in rows if row["channel"] == name]
        if mine:
            means = "".join(f"{np.mean([row[key] for row in mine]):>13.1%}" for key in keys)
            print(f"  {name:<18}{len(mine):>6}{means}")
    print(f"\n  {'pair':<24}{'channel':<13}" + "".join(f"{key.replace('_', ' '):>13}" for key in keys))
    for row in sorted(rows, key=lambda row: (row["own_channel"], row["own_nearest"])):
        scores = "".join(f"{row[key]:>13.0%}" for key in keys)
        mark = f"  below {ENOUGH:.0%}" if row["own_channel"] < ENOUGH else ""
        print(f"  {row['pair']:<24}{row['channel']:<13}{scores}{mark}")
    weak = [row["pair"] for row in rows if row["own_channel"] < ENOUGH]
    print(
        f"\n  {len(weak)} of {len(rows)} pairs below {ENOUGH:.0%} through their own channel: {', '.join(weak) or '-'}"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--glosses", default="all", help="demo, all, or glosses between commas")
    parser.add_argument("--signers", type=int, default=12, help="who are tested")
    parser.add_argument("--teachers", type=int, default=16, help="other signers, who teach the network")
    parser.add_argument("--frames", type=int, default=DEMO["preprocess"]["num_frames"])
    arguments = parser.parse_args()
    signs = load_signs()
    named = glosses_of(arguments.glosses, signs)
    unknown = [gloss for gloss in named if gloss not in signs]
    if unknown:
        parser.error(f"--glosses: {unknown[0]} is not in params/signs.yaml")
    chosen = {gloss: signs[gloss] for gloss in named}
    performed = list(chosen.values())

    clips, labels, persons = film_all(performed, people(1, arguments.signers), arguments.frames, 1, 1)
    lessons, taught, _ = film_all(performed, people(2, arguments.teachers), arguments.frames, 2, 2)
    print(
        f"{len(named)} signs, {arguments.signers} unseen signers, {arguments.frames} frames; "
        f"chance {1 / len(named):.1%}\n"
    )
    print(f"  {'':<12}{'nearest':>9}{'network':>9}   wanted of the nearest")
    figures = {"signs": len(named), "signers": arguments.signers, "frames": arguments.frames}
    for (name, seen), lesson in zip(views(clips).items(), views(lessons).values(), strict=True):
        distances = straight(seen[:, 0]) if name == "one_frame" else warped(seen)
        near = float((nearest(distances, labels, persons) == labels).mean())
        answered, weights = learned(lesson, taught, seen)
        net = float((answered.argmax(axis=1) == labels).mean())
        print(
            f"  {name.replace('_', ' '):<12}{near:>9.1%}{net:>9.1%}   {WANTED[name]}   ({weights / 1e6:.2f} M weights)"
        )
        figures |= {name: near, f"{name}_network": net}
    pairs = minimal_pairs(chosen)
    scores = {
        name: learned(channel(lessons[:, 1:], name), taught, channel(clips[:, 1:], name))[0]
        for name in sorted({name for _, _, name in pairs})
    }
    rows = pair_rows(pairs, named, clips, labels, persons, scores)
    if rows:
        print_pairs(rows)
    figures = {name: round(value, 4) for name, value in figures.items()}
    print(
        json.dumps(
            {
                **figures,
                "pairs": [{k: v if isinstance(v, str) else round(v, 3) for k, v in row.items()} for row in rows],
            }
        )
    )


if __name__ == "__main__":
    main()
