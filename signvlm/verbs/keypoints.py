# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""The key-point detector: render, train, eval, predict, export, live."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from data_engineering.errors import RunError
from signvlm.command import FOLDER, InOrder, print_lines, print_records, verb
from signvlm.console import note, watched

if TYPE_CHECKING:
    from signvlm.config import Config

DEFAULT = "params/keypoints.yaml"
_CHECKPOINT = click.option(
    "--checkpoint",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A run of `keypoints train`, or its model.safetensors.  [default: the newest run]",
)
_THRESHOLD = click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.3,
    show_default=True,
    help="Points with a lower score count as not seen.",
)


def _configured(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command --config and --set; a run knows the configuration that it was trained with."""

    @click.option("--config", "config_file", help=f"A YAML file.  [default: the checkpoint's, or {DEFAULT}]")
    @click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")
    @functools.wraps(function)
    def command(*args: Any, config_file: str | None, overrides: tuple[str, ...], **kwargs: Any) -> None:
        from signvlm.config import load

        checkpoint = kwargs.get("checkpoint")
        if checkpoint is not None and config_file is None:
            beside = (checkpoint if checkpoint.is_dir() else checkpoint.parent) / "config.yaml"
            config_file = str(beside) if beside.is_file() else None
        function(load(config_file or DEFAULT, overrides), *args, **kwargs)

    return command


@click.group(cls=InOrder)
def keypoints() -> None:
    """Train and use a detector of one's own for the 64 key points, on images.

    \b
    Example: signvlm keypoints render --out data/keypoints
             signvlm keypoints train --set data.root=data/keypoints
    With your own images: a folder with images/ and labels/ as data.root.
    """


@keypoints.command()
@click.option("--out", type=FOLDER, required=True, help="A new folder; the same call goes on after an interruption.")
@click.option("--images", type=click.IntRange(min=2), default=6000, show_default=True, help="How many.")
@click.option("--signers", type=click.IntRange(min=1), default=600, show_default=True, help="By how many people.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws signers and signs.")
@click.option("--size", type=click.IntRange(64, 2048), default=512, show_default=True, help="Side in pixels.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core]")
@verb
def render(out: Path, images: int, signers: int, seed: int, size: int, workers: int | None) -> None:
    """Draw labelled images of the signing avatar: images/, labels/.

    \b
    Example: signvlm keypoints render --out data/keypoints --images 6000
    """
    from signvlm.keypoints.render import render as run

    report = run(out, images=images, signers=signers, seed=seed, size=size, workers=workers, progress=watched())
    print_lines(report.lines())


@keypoints.command()
@click.option("--resume", is_flag=True, help="Go on with the newest run.")
@verb
@_configured
def train(config: "Config", resume: bool) -> None:
    """Train the detector on the images of data.root; a tenth, of other signers, is held out to choose the best.

    \b
    Example: signvlm keypoints train --set data.root=data/keypoints
             signvlm keypoints train --resume
    """
    from signvlm.keypoints.metrics import table
    from signvlm.keypoints.train import train as run

    done = run(config, resume=resume)
    print_lines(
        [
            f"keypoints train: {done.metrics['steps']} steps in {done.metrics['seconds']:.0f} s, best at step "
            f"{done.metrics['best_step']}; on the images held out:",
            *table(done.metrics["held_out"], names=False),
            f"  wrote    {done.model}",
            f"  next     signvlm keypoints eval --checkpoint {done.folder}",
        ]
    )


@keypoints.command()
@_CHECKPOINT
@click.option(
    "--part",
    type=click.Choice(["held-out", "all"]),
    default="held-out",
    show_default=True,
    help="The tenth that training held out, or all images of data.root.",
)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="JSON.  [default: beside the detector]")
@verb
@_configured
def eval(config: "Config", checkpoint: Path | None, part: str, out: Path | None) -> None:
    """Measure a detector on labelled images: PCK@0.05 and @0.1, error in pixels, OKS; body and hands apart.

    \b
    Example: signvlm keypoints eval
             signvlm keypoints eval --checkpoint RUN --set data.root=other_images --part all
    """
    from signvlm.keypoints.checkpoint import load_model, newest_run
    from signvlm.keypoints.evaluate import RESULTS, evaluate
    from signvlm.keypoints.metrics import table

    loaded = load_model(checkpoint or newest_run(config.output_dir))
    path = out or loaded.path.parent / RESULTS
    figures = evaluate(config, loaded, part=part, out=path, progress=watched())
    print_lines([*table(figures), f"  wrote    {path}"])


@keypoints.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...", type=click.Path(path_type=Path))
@_CHECKPOINT
@_THRESHOLD
@click.option("--out", type=FOLDER, help="Draw the points over each image, into this folder.")
@click.option("--show", is_flag=True, help="Open each drawing in the desktop's viewer.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object an image and line, as in labels/.")
@verb
@_configured
def predict(
    config: "Config",
    images: tuple[Path, ...],
    checkpoint: Path | None,
    threshold: float,
    out: Path | None,
    show: bool,
    as_json: bool,
) -> None:
    """Find the key points in IMAGES, or in the folders of them that are named.

    \b
    Example: signvlm keypoints predict me.jpg --out drawn
             signvlm keypoints predict photos/ --json > points.jsonl
    """
    from signvlm.keypoints import overlay
    from signvlm.keypoints.predict import find_images
    from signvlm.keypoints.predict import predict as run

    paths = find_images(images)
    finder = _finder(config, checkpoint)
    failed = 0
    for number, found in enumerate(run(finder, paths)):
        if as_json:
            print_records([found.record(threshold)])
        else:
            print_lines([found.line(threshold)])
        if found.image is None or found.points is None:
            failed += 1
            continue
        if out is None and not show:
            continue
        drawn = overlay.draw(found.image, found.points, threshold)
        if out is not None:
            path = out / f"{number:04d}_{found.path.stem}.png"
            overlay.save(drawn, path)
            note(f"wrote {path}")
        if show and not overlay.show(drawn, found.path.name):
            raise RunError("--show: there is no image viewer here; draw into a folder with --out DIR")
    if failed:
        raise RunError(f"{failed} of {len(paths)} images could not be read; the reasons stand above")


@keypoints.command()
@_CHECKPOINT
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("keypoints.onnx"), show_default=True
)
@verb
@_configured
def export(config: "Config", checkpoint: Path | None, out: Path) -> None:
    """Write a detector as ONNX, and check that ONNX Runtime computes the same heatmaps.

    \b
    Example: signvlm keypoints export --out keypoints.onnx
    """
    from signvlm.keypoints.checkpoint import load_model, newest_run
    from signvlm.keypoints.export import export as run

    done = run(load_model(checkpoint or newest_run(config.output_dir)), out)
    checked = "not checked: onnxruntime is not installed" if done.difference is None else f"{done.difference:.1e}"
    print_lines(
        [
            f"keypoints export: {done.shapes}, RGB in 0..1, N is free",
            f"  largest difference of ONNX Runtime's heatmaps from torch's: {checked}",
            f"  wrote    {done.path}",
        ]
    )


@keypoints.command()
@_CHECKPOINT
@_THRESHOLD
@click.option("--camera", metavar="N|FILE", default="0", show_default=True, help="A camera's number, or a video file.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write an mp4 instead of showing a window."
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Stop after so long.")
@verb
@_configured
def live(
    config: "Config", checkpoint: Path | None, threshold: float, camera: str, out: Path | None, seconds: float | None
) -> None:
    """Show the key points over a webcam's picture; q ends.

    \b
    Example: signvlm keypoints live --threshold 0.4
             signvlm keypoints live --camera clip.mp4 --out drawn.mp4
    """
    from signvlm.keypoints.live import check_windows
    from signvlm.keypoints.live import live as run

    if out is None:
        check_windows()
    seen = run(_finder(config, checkpoint), camera, threshold=threshold, out=out, seconds=seconds)
    told = f"{seen.frames} frames, {seen.rate:.1f} a second, {seen.points:.1f} of 64 points in each"
    print_lines([f"keypoints live: {told}", *([f"  wrote    {out}"] if out is not None else [])])


def _finder(config: "Config", checkpoint: Path | None) -> Any:
    from signvlm.keypoints.checkpoint import load_model, newest_run
    from signvlm.keypoints.device import choose
    from signvlm.keypoints.predict import Finder

    loaded = load_model(checkpoint or newest_run(config.output_dir))
    return Finder(loaded, choose(config.model))
