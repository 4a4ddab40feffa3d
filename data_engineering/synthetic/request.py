"""`signvlm synthesize`: a dataset of the avatar of any size, from the words of a command line.

The signs are ASL-LIKE and simplified: a measuring instrument, not teaching material.
"""

import difflib
import re
import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from data_engineering.clip import SPLITS
from data_engineering.errors import ConfigError
from data_engineering.glossary import match_key
from data_engineering.report import Report
from data_engineering.sandbox import cores
from data_engineering.synthetic.break_files import KINDS
from data_engineering.synthetic.dataset import Summary, render_dataset
from data_engineering.synthetic.listing import NOTICE, PHONOLOGY
from data_engineering.synthetic.phonology import Sign
from data_engineering.synthetic.plan import Recipe, spread
from data_engineering.synthetic.signs import load_signs

_MOST_BROKEN = 0.9
_KINDS = f"0.03, or KIND=N,... with the kinds {', '.join(KINDS)}"


def synthesize(
    out: Path,
    *,
    signs: str | None,
    signers: str,
    clips_per_cell: int,
    seed: int,
    size: int | None,
    broken: str,
    compilations: float,
    duplicates: float,
    across_splits: float,
    base_url: str,
    keypoints: bool,
    workers: int | None,
    progress: bool = True,
) -> Report:
    """Writes a dataset to a new folder, or goes on with the same one that was interrupted.

    Args:
        out: The folder: a data root, and the index in it.
        signs: None for all of params/signs.yaml, a number for its first ones, glosses apart by commas, or a file of
            signs of that form.
        signers: How many people sign in train, validation and test: `8,2,4`.
        clips_per_cell: Clips of each sign by each signer.
        seed: Draws everything.
        size: Height of the frames in pixels; None for each signer's own camera.
        broken: A share of all clips, spread over kinds and splits; or `KIND=N,...`.
        compilations: Share of the clips that are cut from longer files.
        duplicates: Copies to add, as a share of the clips.
        across_splits: Share of the copies that stand in another split than their original.
        base_url: Where the addresses of the index point.
        keypoints: Write exact key points.
        workers: Processes; None for one a core.
        progress: Show a bar on stderr.

    Raises:
        ConfigError: A value is wrong, or the folder holds something else.
        RunError: A worker died, or the folder cannot be written.
    """
    if size is not None and size % 2:
        raise ConfigError(f"--size: {size} is odd, h264 wants even frames; take {size + 1}")
    chosen, people = _signs(signs), _signers(signers)
    clips = {split: len(chosen) * people[split] * clips_per_cell for split in SPLITS}
    recipe = Recipe(
        signs=chosen,
        signers=people,
        clips_per_cell=clips_per_cell,
        seed=seed,
        broken=spread(_broken(broken), clips),
        compilations=compilations,
        duplicates=duplicates,
        across_splits=across_splits,
        size=size,
        base_url=_address(base_url),
    )
    made = render_dataset(
        recipe,
        out,
        out / "index.json",
        workers=workers or cores(),
        keypoints=keypoints,
        resume=True,
        progress=progress,
    )
    settings = {"data.root": out, "data.index": out / "index.json", "data.phonology": out / PHONOLOGY}
    words = [word for key, path in settings.items() for word in ("--set", f"{key}={path}")]
    return Report(
        stage="synthesize",
        counts={
            "clips": sum(made.clips.values()),
            "signs": len(chosen),
            **made.clips,
            "frames rendered": made.frames,
        },
        written=list(made.written),
        notes=[*_notes(made), NOTICE, "after validate: preprocess and train, with the same options"],
        next_step=shlex.join(["signvlm", "validate", "--config", "params/demo.yaml", *words]),
    )


def _notes(made: Summary) -> list[str]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(made.broken.values()).items())
    people = ", ".join(f"{len(ids)} in {split}" for split, ids in made.signers.items())
    notes = [
        f"signers, none in two splits: {people}",
        f"broken on purpose: {len(made.broken)} clips" + (f" ({kinds})" if kinds else ""),
        f"cut from longer files: {len(made.compiled)} clips",
        f"exact copies: {len(made.copies)}, of which {len(made.across)} in another split than their original",
    ]
    if made.mislabelled:
        original = made.copies[made.mislabelled]
        notes.append(f"one of them, {made.mislabelled}, stands under another gloss than its original {original}")
    return notes


def _signs(text: str | None) -> tuple[Sign, ...]:
    if text is None:
        return tuple(load_signs().values())
    path = Path(text)
    if path.suffix.lower() in (".yaml", ".yml", ".json") or path.is_file():
        return tuple(load_signs(path).values())
    signs = load_signs()
    if re.fullmatch(r"\d{1,9}", text):
        if not 1 <= int(text) <= len(signs):
            raise ConfigError(
                f"--signs: {text} of {len(signs)} signs; take 1 to {len(signs)}, or write more into a file of your own"
            )
        return tuple(signs.values())[: int(text)]
    by_key = {match_key(gloss): sign for gloss, sign in signs.items()}
    chosen: dict[str, Sign] = {}
    for word in text.split(","):
        key = match_key(word)
        if key not in by_key:
            near = [by_key[name].gloss for name in difflib.get_close_matches(key, by_key, 3, 0.5)]
            known = ", ".join(near or [*list(signs)[:8], "..."])
            raise ConfigError(
                f"--signs: {ascii(word)[:60]} is no sign of params/signs.yaml, which has {known}; name glosses, a "
                "number, or a file of signs"
            )
        chosen[key] = by_key[key]
    return tuple(chosen.values())


def _signers(text: str) -> dict[str, int]:
    numbers = [int(word) for word in text.split(",") if re.fullmatch(r"\s*\d{1,6}\s*", word)]
    if len(numbers) != len(SPLITS) or text.count(",") != len(SPLITS) - 1 or not sum(numbers):
        raise ConfigError(
            f"--signers: {ascii(text)[:60]} is not three numbers of people; write TRAIN,VALIDATION,TEST such as 8,2,4"
        )
    return dict(zip(SPLITS, numbers, strict=True))


def _broken(text: str) -> float | Mapping[str, int]:
    if re.fullmatch(r"\d*\.?\d+", text.strip()):
        share = float(text)
        if share > _MOST_BROKEN:
            raise ConfigError(f"--broken: {text} of all clips; take a share from 0 to {_MOST_BROKEN}")
        return share
    kinds: dict[str, int] = {}
    for word in text.split(","):
        kind, equals, count = (part.strip() for part in word.partition("="))
        if kind not in KINDS or not equals or not re.fullmatch(r"\d{1,9}", count):
            raise ConfigError(f"--broken: {ascii(word)[:60]} is neither a share nor KIND=N; write {_KINDS}")
        kinds[kind] = kinds.get(kind, 0) + int(count)
    return kinds


def _address(text: str) -> str:
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment
        fits = fits and (parts.port is None or parts.port > 0) and text.isprintable() and " " not in text
    except ValueError:
        fits = False
    if not fits or len(text) > 1000:
        raise ConfigError(f"--base-url: {ascii(text)[:60]} is no http address; write one such as http://127.0.0.1:8000")
    return text.rstrip("/")
