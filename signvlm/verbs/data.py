# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""From an index to a dataset: download, validate, preprocess."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_engineering.errors import RunError
from signvlm.command import configured, print_lines, print_report, verb

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help="Attempt at most this many clips.")
@verb
@configured
def download(config: "Config", limit: int | None) -> None:
    """Fetch the clips of the index, politely and resumably.

    \b
    Example: signvlm download --config params/internvl3_5_2b.yaml --limit 100
    """
    from data_engineering.download import download as run

    settings = config.download if limit is None else config.download.model_copy(update={"limit": limit})
    print_report(run(config.data, settings, config.model.prompt))


@click.command()
@click.argument("clips", nargs=-1, type=click.Path(path_type=Path))
@verb
@configured
def validate(config: "Config", clips: tuple[Path, ...]) -> None:
    """Decode every clip ahead of time; quarantine what does not decode, with the reason. CLIPS: only these files.

    \b
    Example: signvlm validate
             signvlm validate suspicious.mp4
    """
    from data_engineering.validate import report_files
    from data_engineering.validate import validate as run

    if clips:
        lines, failed = report_files(clips, config.validate_, config.preprocess)
        print_lines(lines)
        if failed:
            raise RunError(f"{failed} of {len(clips)} files cannot be used; the reasons stand above")
    else:
        print_report(run(config.data, config.download, config.validate_, config.preprocess, config.model.prompt))


@click.command()
@verb
@configured
def preprocess(config: "Config") -> None:
    """Trim, crop, sample and store the validated clips as a dataset.

    \b
    Example: signvlm preprocess --set preprocess.num_frames=8 --set preprocess.size=448
    """
    from data_engineering.preprocess import preprocess as run

    print_report(run(config.data, config.preprocess))
