"""Strip every index address from uv.lock, so that the committed file serves whichever package index a user has.

    uv lock && python scripts/strip_lock.py                 # after a change of the dependencies
    git show :uv.lock | python scripts/strip_lock.py --check -     # what is about to be committed

In the stripped file a package comes from the registry "simple", an artifact is known by its file name and its hash, and
the project's own `requires-dist` is empty. The last makes uv resolve anew, from the index of the machine at hand, with
every locked version preferred; uv then rewrites the file in the work tree, and that rewritten file is never committed.
"""

import argparse
import re
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "uv.lock"
ADDRESS = "://"

_REGISTRY = re.compile(r'registry = "[^"]*"')
# Upload time and size go too: not every index tells them, and the file would change with the index that wrote it.
_ARTIFACT = re.compile(r'\{ (?:url|path) = "(?:[^"]*/)?([^"/]+)"(?:, (hash = "[^"]+"))?[^}]*\}')
_REQUIRES_DIST = re.compile(r"^requires-dist = \[\n(?: .*\n)*\]", re.MULTILINE)


def strip(lock: str) -> str:
    """Return the text of a uv.lock without any address; stripping twice changes nothing.

    Args:
        lock: The text of a uv.lock, as uv wrote it or stripped before.
    """

    def by_name(artifact: re.Match[str]) -> str:
        name, digest = artifact.groups()
        return f'{{ path = "{name}", {digest} }}' if digest else f'{{ path = "{name}" }}'

    return _REQUIRES_DIST.sub("requires-dist = []", _ARTIFACT.sub(by_name, _REGISTRY.sub('registry = "simple"', lock)))


def main() -> None:
    """Strip the file in place, or with --check only tell whether it is stripped."""
    parser = argparse.ArgumentParser(description="Strip every index address from uv.lock.")
    parser.add_argument("lock", nargs="?", default=str(LOCK), help="the file; - is stdin, only with --check")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where the file holds an address")
    args = parser.parse_args()
    if args.lock == "-" and not args.check:
        parser.error("- can only be checked")
    text = sys.stdin.read() if args.lock == "-" else Path(args.lock).read_text(encoding="utf-8")
    if not args.check:
        text = strip(text)
        Path(args.lock).write_text(text, encoding="utf-8", newline="\n")
    held = text.count(ADDRESS)
    if held:
        sys.exit(f"uv.lock holds {held} addresses: run `python scripts/strip_lock.py`, then `git add uv.lock`")


if __name__ == "__main__":
    main()
