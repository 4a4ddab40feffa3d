# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""From an index to a dataset: download, validate, pose, preprocess."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_engineering.errors import RunError
from signvlm.command import FOLDER, configured, print_lines, print_report, verb
from signvlm.console import note, watched

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@click.option("--limit", type=click.IntRange(min=1), help="Attempt at most this many clips.")
@click.option("--only-host", "only_hosts", multiple=True, metavar="HOST", help="Ask this host alone; may be repeated.")
@click.option("--cookies", type=click.Path(path_type=Path, dir_okay=False), help="A cookies.txt for YouTube's wall.")
@click.option("--retry-failed", is_flag=True, help="Ask again for what failed for good in an earlier run.")
@click.option("--dry-run", is_flag=True, help="Say what would be asked of whom; send nothing.")
@verb
@configured
def download(
    config: "Config",
    limit: int | None,
    only_hosts: tuple[str, ...],
    cookies: Path | None,
    retry_failed: bool,
    dry_run: bool,
) -> None:
    """Fetch the clips of the index, politely and resumably.

    \b
    Example: signvlm download --config params/internvl3_5_2b.yaml --limit 100
             signvlm download --dry-run
             signvlm download --only-host youtube --cookies cookies.txt
    """
    given = {"limit": limit, "only_hosts": only_hosts, "cookies": cookies}
    settings = config.download.model_copy(update={name: value for name, value in given.items() if value})
    if dry_run:
        from data_engineering.dry_run import dry_run as rehearse

        print_report(rehearse(config.data, settings, retry_failed=retry_failed))
    else:
        from data_engineering.download import download as run

        prompt = config.model.prompt
        print_report(run(config.data, settings, prompt, retry_failed=retry_failed, progress=watched()))


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
        sections = (config.data, config.download, config.validate_, config.preprocess)
        print_report(run(*sections, config.model.prompt, progress=watched()))


@click.command()
@click.option("--from", "folder", metavar="FOLDER", type=FOLDER, help="Take key points from these files instead.")
@click.option(
    "--extractor",
    type=click.Choice(["holistic", "task"]),
    default="holistic",
    show_default=True,
    help="MediaPipe 0.10.21 with its own models, or 1.2.2, whose model is fetched.",
)
@verb
@configured
def pose(config: "Config", folder: Path | None, extractor: str) -> None:
    """Find the key points of body, hands and face in every frame of the validated clips.

    The extractor, MediaPipe Holistic, runs in an environment of its own, which uv makes the first time. --from FOLDER
    reads key points that the dataset brings: <video_id>.pose, or <video_id>.json with COCO-WholeBody's 133 points.

    \b
    Example: signvlm pose
             signvlm pose --from poses/
    """
    sections = (config.data, config.validate_, config.preprocess)
    if folder is None:
        from data_engineering.pose.extractor import HOLISTIC, HOLISTIC_TASK
        from data_engineering.pose.stage import pose as run

        program = HOLISTIC if extractor == "holistic" else HOLISTIC_TASK
        print_report(run(*sections, program=program, tell=note, progress=watched()))
    else:
        from data_engineering.pose.bring import bring

        print_report(bring(folder, *sections, progress=watched()))


@click.command()
@verb
@configured
def preprocess(config: "Config") -> None:
    """Trim, crop, sample and store the validated clips as a dataset.

    \b
    Example: signvlm preprocess --set preprocess.num_frames=8 --set preprocess.size=448
    """
    from data_engineering.preprocess import preprocess as run

    print_report(run(config.data, config.preprocess, progress=watched()))
