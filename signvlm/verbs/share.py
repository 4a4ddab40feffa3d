# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""A model for others: push."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_engineering.errors import ConfigError
from signvlm.command import CHECKPOINT, configured, print_lines, verb
from signvlm.console import note

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@click.option("--repo", help="USER/NAME on the Hub.  [default: hub.repo]")
@CHECKPOINT
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--dry-run", is_flag=True, help="Show the files and the card; send nothing.")
@verb
@configured
def push(config: "Config", repo: str | None, checkpoint: Path | None, private: bool, dry_run: bool) -> None:
    """Push an adapter bundle, with its model card, to the Hugging Face Hub.

    \b
    Example: signvlm push --repo me/my-signs --dry-run
    """
    from signvlm.hub import push as run
    from signvlm.runs import newest_bundle

    name = repo or config.hub.repo
    if name is None:
        raise ConfigError("--repo: missing; give --repo USER/NAME, or set hub.repo")
    upload = run(
        checkpoint or newest_bundle(config.output_dir),
        name,
        private=private or config.hub.private,
        include_tensorboard=config.hub.include_tensorboard,
        dry_run=dry_run,
    )
    if dry_run:
        print_lines(upload.card.splitlines())
    print_lines([f"  {'would send' if dry_run else 'sent'} {path} ({size:,} bytes)" for path, size in upload.files])
    for line in (*upload.left_out, *upload.notes):
        note(line)
    print_lines([f"push: {upload.repo}, dry run: nothing was sent" if dry_run else f"push: {upload.url}"])
