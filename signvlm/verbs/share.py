# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""A model for others: merge, export, push."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from data_engineering.errors import ConfigError
from signvlm.command import CHECKPOINT, FOLDER, configured, print_lines, verb
from signvlm.console import note

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@CHECKPOINT
@click.option("--out", type=FOLDER, required=True, help="A folder that does not exist yet.")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "bfloat16", "float16"]),
    default="float32",
    show_default=True,
    help="Of the weights as saved.",
)
@verb
@configured
def merge(
    config: "Config", checkpoint: Path | None, out: Path, dtype: Literal["float32", "bfloat16", "float16"]
) -> None:
    """Merge an adapter into its base: one model that plain transformers loads, its answers checked.

    \b
    Example: signvlm merge --checkpoint my-adapter --out my-model
    """
    from signvlm.vlm.merge import merge as run

    done = run(config, checkpoint, out, dtype=dtype)
    lines = [
        f"merge: {done.size:,} bytes of {done.dtype}, compared on {done.clips}",
        f"  gap      to base + adapter: {done.gap}",
    ]
    if done.gap_to_4bit is not None:
        lines.append(f"  gap      to the 4-bit run: {done.gap_to_4bit}")
    print_lines([*lines, f"  wrote    {done.folder}", f"  next     signvlm push --checkpoint {done.folder} --dry-run"])


@click.command()
@CHECKPOINT
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="The file to write.")
@verb
@configured
def export(config: "Config", checkpoint: Path | None, out: Path) -> None:
    """Write a network over key points as ONNX: any batch, any length, its answers checked in onnxruntime.

    \b
    Example: signvlm export --checkpoint my-signs --out my-signs.onnx
    """
    from signvlm.pose.export import export as run

    done = run(config, checkpoint, out)
    checked = (
        f"in onnxruntime a log-probability differs by at most {done.gap:.0e}"
        if done.gap is not None
        else "not checked, onnxruntime is not here"
    )
    print_lines([f"export: {done.size:,} bytes of ONNX; {checked}", f"  wrote    {done.path}"])


@click.command()
@click.option("--repo", help="USER/NAME on the Hub.  [default: hub.repo]")
@CHECKPOINT
@click.option("--manifest", is_flag=True, help="Push the data root's manifests, as a dataset; never a pixel.")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--revision", help="A branch to push to, created where there is none.  [default: main]")
@click.option("--dry-run", is_flag=True, help="Show the files and the card; send nothing.")
@verb
@configured
def push(
    config: "Config",
    repo: str | None,
    checkpoint: Path | None,
    manifest: bool,
    private: bool,
    revision: str | None,
    dry_run: bool,
) -> None:
    """Push an adapter bundle, or the manifests, with a generated card, to the Hugging Face Hub.

    \b
    Example: signvlm push --repo me/my-signs --dry-run
             signvlm push --repo me/my-clips --manifest
    """
    from signvlm.hub import push as push_bundle
    from signvlm.manifest import push_manifest
    from signvlm.runs import newest_bundle

    name = repo or config.hub.repo
    if name is None:
        raise ConfigError("--repo: missing; give --repo USER/NAME, or set hub.repo")
    private = private or config.hub.private
    if manifest:
        if checkpoint is not None:
            raise ConfigError("--manifest: goes by itself, without --checkpoint; give one of the two")
        upload = push_manifest(config.data, name, private=private, revision=revision, dry_run=dry_run)
    else:
        upload = push_bundle(
            checkpoint or newest_bundle(config.output_dir),
            name,
            private=private,
            revision=revision,
            include_tensorboard=config.hub.include_tensorboard,
            dry_run=dry_run,
        )
    if dry_run:
        print_lines(upload.card.splitlines())
    print_lines([f"  {'would send' if dry_run else 'sent'} {path} ({size:,} bytes)" for path, size in upload.files])
    for line in upload.left_out:
        note(f"left out: {line}")
    for line in upload.notes:
        note(line)
    print_lines([f"push: {upload.repo}, dry run: nothing was sent" if dry_run else f"push: {upload.url}"])
