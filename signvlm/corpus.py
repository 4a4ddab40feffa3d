"""What training and evaluation read of a data root: rows by split, the glossary, the clips that could not be had."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import Dataset

from data_engineering.clip import SPLITS, Manifests, by_split, read_json
from data_engineering.errors import ConfigError, RunError
from data_engineering.frames import FOLDER, load_frames
from data_engineering.rows import validated_rows
from data_engineering.stage import check_selection
from signvlm.config import Config
from signvlm.console import note

VALIDATE = "run `signvlm validate`"


@dataclass(frozen=True)
class Corpus:
    """The clips of a data root.

    Attributes:
        rows: {split: dataset}: preprocessed rows, or validated manifest rows to be decoded as they are read.
        glossary: The glosses with a file on disk, in the index's order.
        unreadable: Manifest rows of files that do not decode.
        missing: Indexed clips without a file.
        health: The health report's figures, leakage among them.
        manifest: Every manifest row: the validated ones, then those of all other files on disk.
    """

    rows: dict[str, Dataset]
    glossary: tuple[str, ...]
    unreadable: list[dict[str, Any]]
    missing: list[dict[str, Any]]
    health: dict[str, Any]
    manifest: list[dict[str, Any]]


def load_corpus(config: Config) -> Corpus:
    """Reads a data root's clips; without `frames/` they are decoded as they are needed.

    Raises:
        ConfigError: The data root is missing, or fewer than two glosses have clips.
        RunError: It has not been validated, or with another selection; a manifest is broken, or its frames are stale.
    """
    root = config.data.root
    if not root.is_dir():
        raise ConfigError(f"data.root: {root} is no folder; set data.root, or fetch clips with `signvlm download`")
    manifests = Manifests(root)
    validated = validated_rows(root)
    cleaned = read_json(manifests.cleaned, VALIDATE)
    check_selection(config.data)
    glossary = tuple(dict.fromkeys(row["gloss"] for row in cleaned))
    if len(glossary) < 2:
        raise ConfigError(
            f"{manifests.cleaned}: {len(glossary)} gloss has clips, and there is nothing to tell apart; "
            "widen data.glossary or add clips"
        )
    seen = config.model.family == "vlm"  # key points need no frames but for the report's pictures
    if seen and (root / FOLDER).is_dir():
        rows = dict(load_frames(root, config.preprocess))
    else:
        if seen:
            note(f"{root / FOLDER} is not there: clips are decoded as they are read; `signvlm preprocess` does it once")
        rows = {split: _manifest_rows(by_split(validated, split)) for split in SPLITS}
    health = read_json(manifests.health, VALIDATE)
    known = {row["video_id"] for row in validated}
    return Corpus(
        rows=rows,
        glossary=glossary,
        unreadable=read_json(manifests.corrupted, VALIDATE),
        missing=health["missing"],
        health=health,
        manifest=[*validated, *(row for row in cleaned if row["video_id"] not in known)],
    )


def clips_of(rows: list[dict[str, Any]], split: str) -> list[dict[str, Any]]:
    """Returns the rows of a split."""
    return [row for row in rows if row["split"] == split]


def clip_ids(rows: Dataset) -> list[str]:
    """Returns the ids of preprocessed rows, or of manifest rows, which call them otherwise; no rows have no columns."""
    return list(rows["clip_id" if "clip_id" in rows.column_names else "video_id"]) if len(rows) else []


def _manifest_rows(rows: Any) -> Dataset:
    """Keeps what decoding needs: manifest rows hold whatever the index held, which Arrow could not always type."""
    kept = ("video_id", "gloss", "signer_id", "split", "source", "video_path", "bbox", "media", "root")
    return Dataset.from_list([{key: row[key] for key in kept} | {"signer_id": str(row["signer_id"])} for row in rows])


def require(rows: Dataset, split: str, root: Path) -> Dataset:
    """Returns the rows.

    Raises:
        RunError: There are none.
    """
    if not len(rows):
        raise RunError(
            f"{root}: the {split} split has no readable clip; see datasets/health.html, or change data.split"
        )
    return rows
