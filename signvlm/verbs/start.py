# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""Where a newcomer starts: demo, doctor."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from data_engineering.errors import RunError
from signvlm.command import FOLDER, configured, print_lines, verb

if TYPE_CHECKING:
    from signvlm.config import Config


@click.command()
@click.option(
    "--out", type=FOLDER, default=Path("signvlm-demo"), show_default=True, help="Where everything is written."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of signers, clips, split and training.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")
@verb
def demo(out: Path, seed: int, overrides: tuple[str, ...]) -> None:
    """Do the main job in minutes, without GPU or download: an avatar signs, a tiny model learns and is tested.

    \b
    Example: signvlm demo --out /tmp/demo
    """
    from signvlm.demo import demo as run

    print_lines(run(out, seed=seed, overrides=overrides))


@click.command()
@verb
@configured
def doctor(config: "Config") -> None:
    """Say what this machine has, what would be chosen, and how to mend what is wrong.

    \b
    Example: signvlm doctor
    """
    from signvlm.doctor import doctor as run

    report = run(
        config.data.root,
        device=config.model.device,
        dtype=config.model.dtype,
        load_in_4bit=config.quantization.get("load_in_4bit", "auto"),
        workers=config.training.get("dataloader_num_workers"),
    )
    print_lines(str(report).splitlines())
    if report.exit_status:
        raise RunError("something that every run needs is broken; its remedy stands above")
