# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""From a dataset to a model and its figures: train, eval, predict."""

import contextlib
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_engineering.errors import RunError
from signvlm.command import CHECKPOINT, FOLDER, configured, print_lines, print_records, verb
from signvlm.console import note, printable, watched

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@click.option("--resume", is_flag=True, help="Go on from the newest checkpoint of the newest run.")
@click.option("--inspect", "rows", type=click.IntRange(min=1), help="Show N rows as the model gets them; do not train.")
@verb
@configured
def train(config: "Config", resume: bool, rows: int | None) -> None:
    """Fine-tune the base model with LoRA and keep the best epoch's adapter.

    \b
    Example: signvlm train --set training.num_train_epochs=3
             signvlm train --inspect 2
    """
    if rows is not None:
        from signvlm.inspection import inspect

        texts, sheet = inspect(config, rows)
        click.echo("\n\n".join(map(printable, texts)))
        note(f"wrote {sheet}: the pixels that the model sees")
        return
    from signvlm import processes
    from signvlm.train import train as run

    done = run(config, resume=resume)
    if not processes.first():
        return
    best = done.metrics["best_metric"]
    measured = f"best {done.metrics['metric']} {best:.4f}" if best is not None else "never evaluated, last step kept"
    print_lines(
        [
            f"train: {done.metrics['steps']} steps in {done.metrics['seconds']:.0f} s, {measured}",
            f"  wrote    {done.bundle}",
            f"  next     signvlm eval --checkpoint {done.bundle}",
        ]
    )


@click.command()
@CHECKPOINT
@click.option("--limit", type=click.IntRange(min=1), help="Only a seeded sample of this many clips.")
@click.option("--split", default="test", show_default=True, help="train, validation (or val) or test.")
@click.option(
    "--protocol",
    type=click.Choice(["default", "wlasl-official"]),
    default="default",
    show_default=True,
    help="wlasl-official: also what the WLASL authors compute.",
)
@verb
@configured
def eval(config: "Config", checkpoint: Path | None, limit: int | None, split: str, protocol: str) -> None:
    """Evaluate an adapter: beam search, and exact ranking of the whole glossary. Killed, it goes on when called again.

    \b
    Example: signvlm eval --split validation
             signvlm eval --checkpoint data/wlasl/runs/internvl3_5_2b/adapter
    """
    from signvlm.eval import evaluate_checkpoint

    results = evaluate_checkpoint(
        config,
        checkpoint,
        split=split,
        limit=limit,
        protocol=protocol,
        progress=watched(),
        command=shlex.join(["signvlm", *sys.argv[1:]]),
    )
    print_lines(
        [
            results.table(),
            *(f"  wrote    {path}" for path in (results.path, results.paths.predictions, results.report)),
            f"  next     signvlm predict CLIP.mp4 --checkpoint {results.data['run']['checkpoint']}",
        ]
    )


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True, help="train, validation (or val) or test.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("comparison.html"),
    show_default=True,
    help="The page to write.",
)
@verb
def compare(runs: tuple[Path, ...], split: str, out: Path) -> None:
    """Put evaluated RUNs side by side, on the clips that all of them answered, with the paired tests.

    \b
    Example: signvlm compare data/wlasl/runs/first data/wlasl/runs/second
    """
    from data_engineering.clip import write_text
    from signvlm.evaluation.compare import compare as run
    from signvlm.evaluation.side_by_side import page, text

    compared = run(runs, "validation" if split == "val" else split)
    write_text(out, page(compared))
    print_lines([*text(compared).splitlines(), f"  wrote    {out}"])


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True, help="What is evaluated: test or train.")
@click.option("--out", type=FOLDER, help="The results' folder.  [default: beside the first run]")
@verb
def fuse(runs: tuple[Path, ...], split: str, out: Path | None) -> None:
    """Add up what evaluated RUNs scored, with weights fitted on their validation clips, and report that as a run.

    \b
    Example: signvlm fuse data/wlasl/runs/pose data/wlasl/runs/internvl3_5_2b
             (after signvlm eval --split validation of each)
    """
    from signvlm.evaluation.fuse import fuse as run

    done = run(runs, out, split=split, command=shlex.join(["signvlm", *sys.argv[1:]]))
    files = done.results.paths
    print_lines(
        [
            *(
                f"  {name:<30} weight {weight:5.2f}, {done.validation[name]:6.1%} of the validation clips"
                for name, weight in done.weights.items()
            ),
            f"  {'fusion':<30} {'':12} {done.validation['fusion']:6.1%}",
            "",
            done.results.table(),
            *(f"  wrote    {path}" for path in (files.json, files.predictions, files.report)),
            f"  next     signvlm compare {files.json.parent} {' '.join(map(str, runs))}",
        ]
    )


@click.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@CHECKPOINT
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Glosses a clip.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a clip and line.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Clips a batch.  [default: evaluation.batch_size]")
@click.option("--timing", is_flag=True, help="Say how long loading and the first answer took, and the rate.")
@verb
@configured
def predict(
    config: "Config",
    clips: tuple[Path, ...],
    checkpoint: Path | None,
    top: int,
    as_json: bool,
    batch_size: int | None,
    timing: bool,
) -> None:
    """Name the sign in each of CLIPS: videos, images, folders of either, or - for a list of paths on stdin.

    A folder of images alone is one clip, its files being the frames.

    \b
    Example: signvlm predict hello.mp4 --checkpoint my-adapter --top 3
             ls clips/*.mp4 | signvlm predict - --checkpoint user/name --json
    """
    from signvlm.loading import load_recognizer
    from signvlm.media import find_clips
    from signvlm.predict import predict as run

    started = time.perf_counter()
    loaded = load_recognizer(config, checkpoint)
    times = [time.perf_counter()]
    done = failed = 0
    size = batch_size or loaded.config.evaluation.batch_size
    found = find_clips(_named(clips))
    with contextlib.closing(loaded.reader):
        for prediction in run(
            loaded.recognizer,
            loaded.config,
            found,
            top,
            batch_size=size,
            temperature=loaded.temperature,
            reader=loaded.reader,
        ):
            times.append(time.perf_counter())
            done += 1
            failed += prediction.error is not None
            if as_json:
                print_records([prediction.record()])
            else:
                print_lines(prediction.lines())
    if timing and len(times) > 1:
        first, rest = times[1] - times[0], times[-1] - times[1]
        rate = f", then {(done - 1) / rest:.2f} clips/s" if done > 1 else ""
        note(f"timing: model loaded in {times[0] - started:.2f} s, first answer {first:.2f} s later{rate}")
    if failed:
        raise RunError(f"{failed} of {done} clips could not be read; the reasons stand above")


def _named(clips: tuple[Path, ...]) -> Iterator[Path]:
    """Returns the clips of the call; where one is `-`, the paths on stdin, a line each, as they arrive."""
    for clip in clips:
        if str(clip) != "-":
            yield clip
            continue
        for line in sys.stdin.buffer:
            if name := os.fsdecode(line).rstrip("\r\n"):
                yield Path(name)
