"""Push a data root's manifests to the Hugging Face Hub as a dataset: which clips, which splits, what was wrong.

signvlm push --manifest --repo user/my-clips --dry-run

Never a pixel: five JSON files by name, each read and written anew as JSON, and the card.
"""

import json
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
    folder = Manifests(data.root).validated.parent
    for name in _REQUIRED:
        if not (folder / name).is_file():
            raise ConfigError(f"{folder / name}: not there; {NEXT}, or set data.root")
    found = {name: _told(folder / name, data.root) for name in ABOUT if (folder / name).is_file()}
    card = _card(found, data, repo)
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
    return Upload(repo, sizes(contents), left_out, card, (), url)


def _told(path: Path, root: Path) -> Any:
    """Reads a manifest, the paths in it relative to the data root."""
    value = read_json(path, NEXT)
    for prefix in {f"{root}/", f"{root.resolve()}/"}:
        value = _without(value, prefix)
    return without_paths(value)


def _without(value: Any, prefix: str) -> Any:
    if isinstance(value, dict):
        return {key: _without(each, prefix) for key, each in value.items()}
    if isinstance(value, list):
        return [_without(each, prefix) for each in value]
    return value.replace(prefix, "") if isinstance(value, str) else value


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
