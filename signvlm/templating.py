"""How pages and cards are filled in: a name that a template misses is an error, never an empty place."""

from jinja2 import Environment, PackageLoader, StrictUndefined


def html() -> Environment:
    """Returns the environment of signvlm/evaluation/templates: pages, in which everything is escaped."""
    return Environment(
        loader=PackageLoader("signvlm.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def markdown() -> Environment:
    """Returns the environment of signvlm/templates: cards for the Hub."""
    return Environment(
        loader=PackageLoader("signvlm"),
        autoescape=False,  # noqa: S701  Markdown; the Hub sanitises the HTML that it makes of it
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
