"""What every verb shares: --debug, --config and --set, errors as one line, how results are printed."""

import errno
import functools
import logging
import os
import re
import shlex
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from dotenv import find_dotenv, load_dotenv

from data_engineering.errors import ConfigError, RunError
from signvlm.console import note, printable

if TYPE_CHECKING:
    from data_engineering.report import Report

FOLDER = click.Path(path_type=Path, file_okay=False)
CHECKPOINT = click.option("--checkpoint", type=FOLDER, help="An adapter bundle. Default: the newest run's adapter/.")


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
