# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""Where a newcomer starts: demo, synthesize, doctor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
@click.option("--out", type=FOLDER, required=True, help="A new folder; the same call goes on after an interruption.")
@click.option(
    "--signs",
    metavar="N|GLOSS,...|FILE",
    help="The first N of params/signs.yaml, these of them, or a file of your own like it.  [default: all]",
)
@click.option(
    "--signers",
    metavar="TRAIN,VALIDATION,TEST",
    default="8,2,4",
    show_default=True,
    help="How many people sign in each split; no one signs in two.",
)
@click.option(
    "--clips-per-cell",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Clips of each sign by each signer.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Draws everything.")
@click.option(
    "--size",
    type=click.IntRange(64, 2160),
    help="Height of the frames in pixels.  [default: each signer's camera, 240 to 320]",
)
@click.option(
    "--broken",
    metavar="SHARE|KIND=N,...",
    default="0.03",
    show_default=True,
    help="Files to break: a share of all, spread over kinds and splits, or so many of each kind.",
)
@click.option(
    "--compilations",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="Share of the clips that lie in longer files.",
)
@click.option(
    "--duplicates",
    type=click.FloatRange(0, 0.5),
    default=0.02,
    show_default=True,
    help="Exact copies to add, as a share; if any, one more stands under a wrong gloss.",
)
@click.option(
    "--across-splits",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Share of the copies that leak into another split.",
)
@click.option(
    "--base-url",
    default="https://avatar.invalid",
    show_default=True,
    help="Addresses in the index are BASE-URL/ID.mp4; serve raw_videos there to try download.",
)
@click.option(
    "--keypoints",
    is_flag=True,
    help="Write the exact 64 key points of every frame: keypoints/ID.npz, and poses/ as extraction would leave them.",
)
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one a core]")
@verb
def synthesize(out: Path, **options: Any) -> None:
    """Render a dataset of the signing avatar, of any size: clips, a WLASL-shaped index, splits, phonology, truth.

    \b
    Example: signvlm synthesize --out /tmp/avatar --signs MOTHER,FATHER,FINE --signers 4,1,2
             signvlm synthesize --out /tmp/mine --signs my_signs.yaml --broken page=2,headless=1 --keypoints
    """
    from data_engineering.synthetic.request import synthesize as run

    print_lines(run(out, **options).lines())


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
