"""What every verb shares: --quiet, --verbose, --debug, --config, --set, errors as one line, how results are printed."""

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
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dotenv import find_dotenv, load_dotenv

from data_engineering.errors import ConfigError, RunError
from signvlm.console import complain, printable, silence

if TYPE_CHECKING:
    from data_engineering.report import Report

FOLDER = click.Path(path_type=Path, file_okay=False)
CHECKPOINT = click.option(
    "--checkpoint",
    metavar="DIR|USER/NAME[@REVISION]",
    type=FOLDER,
    help="An adapter bundle, here or on the Hub. Default: the newest run's adapter/.",
)
_NEVER = "1e9"  # seconds


class InOrder(click.Group):
    """Lists the verbs in the order in which they are used, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Returns the verbs in the order in which they were added."""
        return list(self.commands)


def verb(function: Callable[..., None]) -> Callable[..., None]:
    """Gives a command --quiet, --verbose and --debug, and turns errors into one line and an exit status."""

    @click.option("-q", "--quiet", is_flag=True, help="Results and errors only: no notes, no progress.")
    @click.option("-v", "--verbose", is_flag=True, help="Show what the libraries say, too.")
    @click.option("--debug", is_flag=True, help="Show the traceback of an error.")
    @functools.wraps(function)
    def command(*args: Any, quiet: bool, verbose: bool, debug: bool, **kwargs: Any) -> None:
        load_dotenv(find_dotenv(usecwd=True))
        if verbose:
            os.environ.setdefault("TRANSFORMERS_VERBOSITY", "info")
        elif not debug:
            _quiet_libraries()
        _choose_bars(quiet)
        try:
            with silence(quiet):
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
        if checkpoint := kwargs.get("checkpoint"):
            from signvlm.fetch import find_checkpoint

            found = find_checkpoint(checkpoint)
            kwargs["checkpoint"] = found.folder
            if config_file is None and (found.folder / "config.yaml").is_file():
                config_file, overrides = str(found.folder / "config.yaml"), (*found.overrides, *overrides)
        function(load(config_file or DEFAULT_CONFIG, overrides), *args, **kwargs)

    return command


def print_report(report: "Report") -> None:
    """Prints what a stage did; the next command, too, needs the configuration that this one was given."""
    given = click.get_current_context().params
    options = ["--config", given["config_file"]] if given["config_file"] else []
    options += [word for override in given["overrides"] for word in ("--set", override)]
    if options:
        report.next_step = re.sub(r"^signvlm \w+", lambda verb: f"{verb[0]} {shlex.join(options)}", report.next_step)
    print_lines(report.lines())


def print_lines(lines: list[str]) -> None:
    """Prints data on stdout, safe for terminals."""
    for line in lines:
        click.echo(printable(line))


def _fail(message: str, status: int, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    complain("error: " + " ".join(message.split()))
    sys.exit(status)


def print_records(records: Iterable[dict[str, Any]]) -> None:
    """Prints a JSON object a line on stdout; what a terminal could obey is escaped, as JSON escapes it."""
    for record in records:
        text = json.dumps(record, ensure_ascii=False)
        click.echo("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))


def _choose_bars(quiet: bool) -> None:
    """Sets what tqdm's bars do, ours and the libraries', before it is imported, and only where nobody chose.

    Into a file or a pipe a line goes now and then, not a bar that is drawn over itself ten times a second.
    """
    if quiet:
        chosen = {"TQDM_DELAY": _NEVER, "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    elif not sys.stderr.isatty():
        line = "{desc}: {n_fmt}/{total_fmt} [{elapsed}<{remaining}, {rate_fmt}{postfix}]\n"
        chosen = {"TQDM_MININTERVAL": "10", "TQDM_BAR_FORMAT": line}
    else:
        chosen = {}
    for name, value in chosen.items():
        os.environ.setdefault(name, value)


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
