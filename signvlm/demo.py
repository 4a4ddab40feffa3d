"""`signvlm demo`: the main job in minutes, on a CPU, without account or download.

    signvlm demo --out /tmp/demo --seed 0

An avatar signs real mp4 clips, some of them broken on purpose; from there on every stage is the one that real data
takes: validate, preprocess, fine-tune, evaluate on signers that training never saw.
"""

import shlex
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from data_engineering.preprocess import preprocess
from data_engineering.sandbox import cores
from data_engineering.synthetic.dataset import known_signs, render_dataset
from data_engineering.synthetic.plan import Recipe
from data_engineering.synthetic.signs import load_signs
from data_engineering.validate import validate
from signvlm.config import load
from signvlm.console import note
from signvlm.eval import evaluate_checkpoint
from signvlm.train import train

# Signs in a row are told apart by one parameter alone: location, movement, hands and handshape.
GLOSSES = (
    *("MOTHER", "FATHER", "FINE", "WATER"),
    *("EAT", "HOME"),
    *("THANK-YOU", "GOOD", "BAD"),
    *("PLEASE", "SORRY"),
    *("BIG", "SMALL"),
    *("UP", "DOWN"),
    *("RISE", "SINK"),
    *("BOOK", "HELP", "WORK", "CAR", "PHONE", "BLUE", "PLAY"),
)
CLIPS_PER_CELL = 1  # many people once teach more than few people twice
SIGNERS = {"train": 16, "validation": 4, "test": 8}
# Kinds of `data_engineering.synthetic.break_files`: what a download leaves behind in the wild.
BROKEN = {"train": ("page", "headless", "black"), "validation": ("empty",), "test": ("stub",)}
HEIGHT = 224  # pixels of the files' frames: the model is shown 64


def demo(out: Path, *, seed: int = 0, overrides: Sequence[str] = ()) -> list[str]:
    """Runs every stage on clips of the avatar.

    Args:
        out: Everything is written below this folder.
        seed: Of signers, clips, which files are broken, and training.
        overrides: `section.key=value` strings over params/demo.yaml.

    Returns:
        The lines to print: one table, what was written, the next commands.
    """
    started = time.perf_counter()
    config = load(
        "params/demo.yaml",
        [
            f"data.root={out}",
            f"data.index={out / 'index.json'}",
            f"data.seed={seed}",
            f"training.seed={seed}",
            f"evaluation.seed={seed}",
            *overrides,
        ],
    )
    note(f"1/5 an avatar signs {len(GLOSSES)} signs, {sum(SIGNERS.values())} signers")
    recipe = Recipe(known_signs(GLOSSES, load_signs()), SIGNERS, CLIPS_PER_CELL, seed, BROKEN, size=HEIGHT)
    made = render_dataset(recipe, config.data.root, config.data.index, workers=cores())
    note(f"    {sum(made.clips.values())} clips; broken on purpose: {made.broken}")
    note("2/5 validate: every clip is decoded before training")
    for line in validate(
        config.data, config.download, config.validate_, config.preprocess, config.model.prompt
    ).lines():
        note(line)
    note("3/5 preprocess")
    for line in preprocess(config.data, config.preprocess).lines():
        note(line)
    note("4/5 train: LoRA on the language model, the projector in full")
    # The same figures on any number of cores; on a busy machine a second thread mostly waits.
    torch.set_num_threads(1)
    training = train(config)
    note("5/5 evaluate: signers that training never saw")
    command = ["signvlm", "demo", "--out", str(out), "--seed", str(seed)]
    for override in overrides:
        command += ["--set", override]
    results = evaluate_checkpoint(config, training.bundle, command=shlex.join(command))
    clip = next(row["clip_id"] for row in results.data["clips"] if not row.get("unreadable"))
    return [
        "",
        results.table(),
        "",
        config.data.note or "",
        "",
        f"  took     {time.perf_counter() - started:.0f} s, seed {seed}",
        f"  wrote    {training.bundle}",
        f"  wrote    {results.path}",
        f"  wrote    {results.report}",
        f"  next     open {results.report} in a browser",
        f"  next     uv run tensorboard --logdir {training.folder / 'tb_logs'}",
        f"  next     uv run signvlm predict {out / 'raw_videos' / clip}.mp4 --checkpoint {training.bundle}",
        "  next     your own clips, or WLASL: see README.md",
    ]
