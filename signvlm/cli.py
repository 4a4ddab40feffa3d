# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""The command line. A verb's module is imported when the verb runs, so that `--help` needs no torch.

Data goes to stdout, notes and progress bars to stderr. Exit status 0: done; 1: the run failed; 2: the call or the
configuration is wrong.
"""

import errno
import functools
import json
import logging
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dotenv import find_dotenv, load_dotenv

from data_engineering.errors import ConfigError, RunError
from signvlm.console import note, printable

if TYPE_CHECKING:
    from data_engineering.report import Report
    from signvlm.config import Config

FOLDER = click.Path(path_type=Path, file_okay=False)
CHECKPOINT = click.option("--checkpoint", type=FOLDER, help="An adapter bundle. Default: the newest run's adapter/.")


class InOrder(click.Group):
    """Lists the verbs in the order in which they are used, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs as they stand below."""
        return list(self.commands)


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("signvlm"), prog_name="signvlm")
def cli() -> None:
    """Fine-tune a vision-language model to recognise signs, from clips to numbers and an adapter.

    \b
    Try it (minutes, no GPU, no download):   signvlm demo
    With WLASL:                              signvlm download, validate, preprocess, train, eval, predict, push
    """


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command --debug, and turns errors into one line and an exit status."""

    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def command(*args: Any, debug: bool, **kwargs: Any) -> None:
        load_dotenv(find_dotenv(usecwd=True))
        if not debug:
            _quiet_libraries()
        try:
            function(*args, **kwargs)
        except ConfigError as error:
            _fail(str(error), 2, debug)
        except RunError as error:
            _fail(str(error), 1, debug)
        except KeyboardInterrupt:
            _fail("interrupted; run the same command again to go on", 1, debug)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read has gone, e.g. `| head`
        except OSError as error:
            if error.errno == errno.ENOSPC:
                _fail(
                    f"{error.filename or 'disk'}: no space left; free some, then run the same command again", 1, debug
                )
            _fail(f"{type(error).__name__}: {error}; run again with --debug to see where", 1, debug)
        except Exception as error:
            _fail(f"unexpected {type(error).__name__}: {error}; run again with --debug to see where", 1, debug)

    return command


def configured(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command --config and --set; it receives the checked Config."""

    @click.option("--config", "config_file", default=None, help="A YAML file.  [default: params/internvl3_5_2b.yaml]")
    @click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key; may be repeated.")
    @functools.wraps(function)
    def command(*args: Any, config_file: str | None, overrides: tuple[str, ...], **kwargs: Any) -> None:
        from signvlm.config import DEFAULT_CONFIG, load

        # A bundle knows the configuration that it was trained with.
        bundled = kwargs.get("checkpoint") and kwargs["checkpoint"] / "config.yaml"
        if config_file is None and bundled and bundled.is_file():
            config_file = str(bundled)
        function(load(config_file or DEFAULT_CONFIG, overrides), *args, **kwargs)

    return command


@cli.command()
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
    _print_report(run(config.data, settings, config.model.prompt))


@cli.command()
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
        _print(lines)
        if failed:
            raise RunError(f"{failed} of {len(clips)} files cannot be used; the reasons stand above")
    else:
        _print_report(run(config.data, config.download, config.validate_, config.preprocess, config.model.prompt))


@cli.command()
@verb
@configured
def preprocess(config: "Config") -> None:
    """Trim, crop, sample and store the validated clips as a dataset.

    \b
    Example: signvlm preprocess --set preprocess.num_frames=8 --set preprocess.size=448
    """
    from data_engineering.preprocess import preprocess as run

    _print_report(run(config.data, config.preprocess))


@cli.command()
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
    from signvlm.train import train as run

    done = run(config, resume=resume)
    best = done.metrics["best_metric"]
    measured = f"best {done.metrics['metric']} {best:.4f}" if best is not None else "never evaluated, last step kept"
    _print(
        [
            f"train: {done.metrics['steps']} steps in {done.metrics['seconds']:.0f} s, {measured}",
            f"  wrote    {done.bundle}",
            f"  next     signvlm eval --checkpoint {done.bundle}",
        ]
    )


@cli.command()
@CHECKPOINT
@click.option("--limit", type=click.IntRange(min=1), help="Only a seeded sample of this many clips.")
@click.option("--split", default="test", show_default=True, help="train, validation (or val) or test.")
@verb
@configured
def eval(config: "Config", checkpoint: Path | None, limit: int | None, split: str) -> None:
    """Evaluate an adapter: beam search, and exact ranking of the whole glossary.

    \b
    Example: signvlm eval --split validation
             signvlm eval --checkpoint data/wlasl/runs/internvl3_5_2b/adapter
    """
    from signvlm.eval import evaluate_checkpoint

    results = evaluate_checkpoint(config, checkpoint, split=split, limit=limit)
    _print(
        [
            results.table(),
            f"  wrote    {results.path}",
            f"  wrote    {results.report}",
            f"  next     signvlm predict CLIP.mp4 --checkpoint {results.data['run']['checkpoint']}",
        ]
    )


@cli.command()
@click.argument("clips", nargs=-1, required=True, type=click.Path(path_type=Path))
@CHECKPOINT
@click.option("--top", type=click.IntRange(min=1), default=5, show_default=True, help="Glosses a clip.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a clip and line.")
@verb
@configured
def predict(config: "Config", clips: tuple[Path, ...], checkpoint: Path | None, top: int, as_json: bool) -> None:
    """Name the sign in each of CLIPS.

    \b
    Example: signvlm predict hello.mp4 --checkpoint my-adapter --top 3
    """
    from signvlm.loading import load_recognizer
    from signvlm.predict import predict as run

    loaded = load_recognizer(config, checkpoint)
    failed = 0
    for prediction in run(loaded.recognizer, loaded.config, clips, top):
        failed += prediction.error is not None
        _print([json.dumps(prediction.record(), ensure_ascii=False)] if as_json else prediction.lines())
    if failed:
        raise RunError(f"{failed} of {len(clips)} clips could not be read; the reasons stand above")


@cli.command()
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
        _print(upload.card.splitlines())
    _print([f"  {'would send' if dry_run else 'sent'} {path} ({size:,} bytes)" for path, size in upload.files])
    for line in (*upload.left_out, *upload.notes):
        note(line)
    _print([f"push: {upload.repo}, dry run: nothing was sent" if dry_run else f"push: {upload.url}"])


@cli.command()
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

    _print(run(out, seed=seed, overrides=overrides))


@cli.command()
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
    _print(str(report).splitlines())
    if report.exit_status:
        raise RunError("something that every run needs is broken; its remedy stands above")


def _print_report(report: "Report") -> None:
    """Prints what a stage did; the next command, too, needs the configuration that this one was given."""
    given = click.get_current_context().params
    options = ["--config", given["config_file"]] if given["config_file"] else []
    options += [word for override in given["overrides"] for word in ("--set", override)]
    if options:
        report.next_step = re.sub(r"^signvlm \w+", lambda verb: f"{verb[0]} {shlex.join(options)}", report.next_step)
    _print(report.lines())


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(printable(line))


def _fail(message: str, status: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    note("error: " + " ".join(message.split()))
    sys.exit(status)


def _quiet_libraries() -> None:
    """Keeps the libraries' chatter off the terminal; set before they are imported, and only where nobody chose."""
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "BITSANDBYTES_NOWELCOME": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }.items():
        os.environ.setdefault(name, value)
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


def main() -> None:
    """The entry point."""
    cli()
