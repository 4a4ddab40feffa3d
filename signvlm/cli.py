# ruff: noqa: D301  \b in a help text is click's mark of a paragraph that keeps its lines, so these are no raw strings
"""The command line. A verb's module is imported when the verb runs, so that `--help` needs no torch.

Data goes to stdout, notes and progress bars to stderr. Exit status 0: done; 1: the run failed; 2: the call or the
configuration is wrong.
"""

from importlib.metadata import version

import click

from signvlm.command import InOrder
from signvlm.verbs import data, keypoints, model, share, shell, start


@click.group(cls=InOrder, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("signvlm"), prog_name="signvlm")
def cli() -> None:
    """Fine-tune a vision-language model to recognise signs, from clips to numbers and an adapter.

    \b
    Try it (minutes, no GPU, no download):   signvlm demo
    With WLASL:                              signvlm download, validate, preprocess, train, eval, predict, push
    """


# In the order in which they are used.
for command in (
    data.download,
    data.validate,
    data.pose,
    data.preprocess,
    model.train,
    model.eval,
    model.compare,
    model.fuse,
    model.predict,
    share.merge,
    share.export,
    share.push,
    keypoints.keypoints,
    start.demo,
    start.synthesize,
    start.doctor,
    shell.completion,
):
    cli.add_command(command)


def main() -> None:
    """The entry point."""
    cli()
