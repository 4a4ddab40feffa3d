# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""What the shell is told: completion."""

import click
from click.shell_completion import BashComplete, FishComplete, ZshComplete

from signvlm.command import print_lines, verb

SHELLS = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice(list(SHELLS)))
@verb
def completion(shell: str) -> None:
    """Print what makes a shell complete verbs, options and paths.

    \b
    Example: signvlm completion bash >> ~/.bashrc
             signvlm completion zsh >> ~/.zshrc
             signvlm completion fish > ~/.config/fish/completions/signvlm.fish
    """
    print_lines(script(shell).splitlines())


def script(shell: str) -> str:
    """Returns what a shell is to run.

    Args:
        shell: A key of `SHELLS`.
    """
    from signvlm.cli import cli  # which lists the verb above

    return SHELLS[shell](cli, {}, "signvlm", "_SIGNVLM_COMPLETE").source()
