"""Push a data root's manifests to the Hugging Face Hub as a dataset: which clips, which splits, what was wrong.

signvlm push --manifest --repo user/my-clips --dry-run

Never a pixel: five JSON files by name, each read and written anew as JSON, and the card.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import DatasetCardData

from data_engineering.clip import SPLITS, Manifests, read_json
from data_engineering.errors import ConfigError
from data_engineering.settings import DataSettings
from signvlm.card import shared_between_splits, terms
from signvlm.hub import without_paths
from signvlm.templating import markdown
from signvlm.upload import CARD, Upload, check_name, send, sizes

NEXT = "run `signvlm validate`"
ABOUT = {
    "wlasl_cleaned.json": "the clips of the index that the glossary keeps and whose file was there",
    "wlasl_validated.json": "of these, the ones that decode, with what was found in the file (size, rate, kept range)",
    "corrupted_videos.json": "the others, each with the reason",
    "split.json": "{video_id: split}, as `data.split` takes it",
    "health.json": "the counts, and what the splits share",
}
_REQUIRED = ("wlasl_validated.json", "health.json")


def push_manifest(
    data: DataSettings,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Upload:
    """Pushes the manifests of a data root as a dataset repository, under a generated card.

    Args:
        data: Where they lie, and which index they are of.
        repo: `user/name`; created where it does not exist.
        private: Create it as a private one; one that exists and is public is refused.
        revision: The branch to push to, created where it does not exist; None for the main one.
        dry_run: Only tell what would be sent: no token, no network.
        endpoint: The Hub's address; None for the usual one (HF_ENDPOINT).

    Raises:
        ConfigError: A malformed name, a data root without manifests, no token.
        RunError: A manifest is broken; the Hub cannot be reached or refuses.
    """
    check_name(repo)
    folder, found = read_manifests(data)
    card = _card(found, data, repo)
    notes = []
    if any(row.get("own_file") for row in found["wlasl_validated.json"]):
        ids = ", ".join(row["video_id"] for row in found["wlasl_validated.json"][:3])
        notes.append(f"clips' ids are made of their files' names ({ids}, ...): rename files that name a person first")
    contents: dict[str, bytes | Path] = {
        name: (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode() for name, value in found.items()
    }
    contents[CARD] = card.encode()
    others = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name not in contents)
    left_out = tuple(f"{name} (no manifest)" for name in others)
    url = None
    if not dry_run:
        message = "Push the manifests with signvlm"
        url = send(
            contents, repo, kind="dataset", message=message, private=private, revision=revision, endpoint=endpoint
        )
    return Upload(repo, sizes(contents), left_out, card, tuple(notes), url)


def read_manifests(data: DataSettings) -> tuple[Path, dict[str, Any]]:
    """Reads the manifests as they may go: no path of this machine, no signer's name.

    Returns:
        Their folder, and {file name: content}.

    Raises:
        ConfigError: One that is needed is not there.
        RunError: One is broken.
    """
    folder = Manifests(data.root).validated.parent
    for name in _REQUIRED:
        if not (folder / name).is_file():
            raise ConfigError(f"{folder / name}: not there; {NEXT}, or set data.root")
    return folder, _numbered({name: _told(folder / name, data.root) for name in ABOUT if (folder / name).is_file()})


def _told(path: Path, root: Path) -> Any:
    """Reads a manifest, the paths in it relative to the data root."""
    # An absolute path means this folder wherever it stands; a relative one may be part of an address, but at its start.
    places = [re.escape(f"{root.resolve()}/"), rf"(?<![^\s'\"(]){re.escape(f'{root}/')}"]
    return without_paths(_without(read_json(path, NEXT), re.compile("|".join(places))))


def _without(value: Any, places: re.Pattern[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, places) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(each, places) for each in value]
    return places.sub("", value) if isinstance(value, str) else value


def _numbered(found: dict[str, Any]) -> dict[str, Any]:
    """Returns the manifests with a number for each signer that has a name: a name is nobody's business but theirs."""
    told = {str(signer) for signer in _signers(found)}
    numbers = {int(signer) for signer in told if signer.isdecimal()}
    names = sorted(signer for signer in told if signer and not signer.isdecimal())
    return _renamed(found, {name: number for number, name in enumerate(names, start=max(numbers, default=0) + 1)})


def _signers(value: Any) -> Iterator[Any]:
    """Yields whatever stands under `signer_id` in JSON-like data."""
    if isinstance(value, dict):
        yield from (each for key, each in value.items() if key == "signer_id")
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _signers(each)


def _renamed(value: Any, numbers: Mapping[str, int]) -> Any:
    if isinstance(value, list):
        return [_renamed(each, numbers) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        key: numbers.get(str(each), each) if key == "signer_id" else _renamed(each, numbers)
        for key, each in value.items()
    }


def _card(found: dict[str, Any], data: DataSettings, repo: str) -> str:
    wlasl, said = terms(data.index)
    rows, health = found["wlasl_validated.json"], found["health.json"]
    metadata = DatasetCardData(
        license="other",
        license_name="terms-of-the-clips",
        license_link=CARD,
        pretty_name=f"{'WLASL' if wlasl else data.index.stem}: which clips, which splits",
        task_categories=["video-classification"],
        tags=["sign-language", "sign-language-recognition", "signvlm", *(["wlasl"] if wlasl else [])],
    )
    template = markdown().get_template("manifest.md.j2")
    text = template.render(
        title=repo,
        index=data.index.name,
        terms=said,
        note=data.note,
        files={name: ABOUT[name] for name in found},
        clips=len(rows),
        glosses=len({row["gloss"] for row in rows}),
        signers=len({str(row["signer_id"]) for row in rows}),
        splits={split: sum(row["split"] == split for row in rows) for split in SPLITS},
        missing=len(health.get("missing", ())),
        corrupted=len(health.get("corrupted", ())),
        leakage=shared_between_splits(health.get("leakage")),
    )
    return f"---\n{metadata.to_yaml()}\n---\n\n{text}"
