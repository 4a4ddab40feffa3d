"""Names that others gave to files, as they may be printed and written."""


def shown(name: str) -> str:
    """Returns a name without what could end a line, steer a terminal or not be UTF-8, whatever a file system allows."""
    return name if name.isprintable() else ascii(name)[1:-1]
