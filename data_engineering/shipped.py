"""Where the files of `params/` lie: inside the installed package, or beside the packages in a checkout."""

from pathlib import Path


def shipped(name: str) -> Path:
    """Returns the path of a file that ships with the project.

    Args:
        name: Path below `params/`, such as `core_glossary.yaml`.
    """
    root = Path(__file__).resolve().parent.parent
    installed = root / "signvlm" / "params" / name
    return installed if installed.exists() else root / "params" / name
