"""Push an adapter bundle to the Hugging Face Hub: the files that make it up, under a fresh model card.

signvlm push --repo user/name --dry-run          # what would go, and the card; needs no network and no token
signvlm push --repo user/name --private
"""

import json
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from data_engineering.clip import read_json
from data_engineering.errors import ConfigError
from signvlm.bundles import ADAPTER, POSE_WEIGHTS
from signvlm.card import RESULTS, model_card
from signvlm.config import Config, load, shipped
from signvlm.fetch import SUFFIXES
from signvlm.upload import CARD, Upload, check_name, send, sizes

EVENTS = "tb_logs"
CONFIG = "config.yaml"
WEIGHTS = (
    (ADAPTER, "adapter_model.safetensors"),
    ("config.json", "model.safetensors"),
    ("config.json", "model.safetensors.index.json"),
    (CONFIG, POSE_WEIGHTS),
)


def push(
    bundle: Path,
    repo: str,
    *,
    private: bool = False,
    revision: str | None = None,
    include_tensorboard: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Upload:
    """Pushes a bundle to the Hub. A push that broke off is completed by the next one.

    Every file goes byte for byte but three: README.md is the card, written anew, and config.yaml and
    adapter_config.json lose the paths of this machine.

    Args:
        bundle: The bundle's folder, as `train` or `merge` wrote it.
        repo: `user/name`; created where it does not exist.
        private: Create it as a private one; one that exists and is public is refused.
        revision: The branch to push to, created where it does not exist; None for the main one.
        include_tensorboard: Send the run's TensorBoard events (`tb_logs` beside the bundle) too.
        dry_run: Only tell what would be sent: no token, no network, nothing written.
        endpoint: The Hub's address; None for the usual one (HF_ENDPOINT).

    Raises:
        ConfigError: A malformed name, a folder that is no bundle, no token.
        RunError: The Hub cannot be reached or refuses.
    """
    check_name(repo)
    _check_bundle(bundle)
    card = model_card(bundle, name=repo)
    names, left_out = sendable(bundle)
    if not any(set(pair) <= set(names) for pair in WEIGHTS):
        raise ConfigError(f"{bundle}: its weights are links, as in the Hub's cache; copy it (cp -rL) and name the copy")
    contents: dict[str, bytes | Path] = {name: bundle / name for name in names} | {CARD: card.encode()}
    notes = []
    if CONFIG in contents:
        contents[CONFIG] = portable(load(bundle / CONFIG)).to_yaml().encode()
    if ADAPTER in contents:
        adapter = read_json(bundle / ADAPTER, "train again")
        base = str(adapter.get("base_model_name_or_path"))
        if shipped(base).exists() or _is_path(base):
            adapter["base_model_name_or_path"] = _name(base)
            contents[ADAPTER] = (json.dumps(adapter, ensure_ascii=False, indent=1) + "\n").encode()
            if not (bundle / "base").is_dir():
                notes.append(f"the base, {base}, is a folder and does not go: others need it; or push a merged model")
    logs = bundle.parent / EVENTS
    if include_tensorboard:
        events = {f"{EVENTS}/{PurePosixPath(path.relative_to(logs))}": path for path in _events(logs)}
        contents |= events
        notes.append(
            "TensorBoard's events name this machine and its paths" if events else f"{logs}: no TensorBoard events"
        )
    url = None
    if not dry_run:
        message = "Push the adapter with signvlm"
        url = send(contents, repo, kind="model", message=message, private=private, revision=revision, endpoint=endpoint)
    return Upload(repo, sizes(contents), tuple(left_out), card, tuple(notes), url)


def portable(config: Config) -> Config:
    """Returns a configuration without the paths of this machine: of each absolute one the last name is left.

    A base that is a folder of one's own keeps its name alone too, lest others fetch a stranger's model of that name.
    """
    tree = without_paths(config.model_dump(mode="json", by_alias=True))
    base = config.model.base
    own = shipped(base).exists() and not shipped(base).is_relative_to(shipped("params/demo.yaml").parent)
    tree["model"]["base"] = _name(base) if own else tree["model"]["base"]
    return Config.model_validate({**tree, "source": config.source})


def without_paths(value: Any) -> Any:
    """Returns JSON-like data in which each text that is an absolute path is its last name."""
    if isinstance(value, dict):
        return {key: without_paths(each) for key, each in value.items()}
    if isinstance(value, list):
        return [without_paths(each) for each in value]
    return _name(value) if isinstance(value, str) and _is_path(value) else value


def _is_path(text: str) -> bool:
    one_line = "\n" not in text
    return one_line and (text.startswith(("/", "~")) or PureWindowsPath(text).is_absolute())


def _name(text: str) -> str:
    return PureWindowsPath(text).name or "root"


def _check_bundle(bundle: Path) -> None:
    if not bundle.is_dir():
        raise ConfigError(f"{bundle}: no such folder; run signvlm train, or name a bundle with --checkpoint")
    if not any(all((bundle / name).is_file() for name in names) for names in WEIGHTS):
        raise ConfigError(f"{bundle}: no bundle (it holds no {' and '.join(WEIGHTS[0])}); name one with --checkpoint")


def sendable(folder: Path) -> tuple[list[str], list[str]]:
    """Returns the names (with /) of the regular files below a folder that may go, and those that may not with why."""
    names, left_out = [], []
    for path in sorted(folder.rglob("*")):
        name = PurePosixPath(path.relative_to(folder)).as_posix()
        mode = path.lstat().st_mode
        if stat.S_ISDIR(mode):
            continue
        if not stat.S_ISREG(mode):
            left_out.append(f"{name} (a link, not a file)")
        elif any(part.startswith(".") for part in Path(name).parts):
            left_out.append(f"{name} (hidden)")
        elif path.suffix not in SUFFIXES:
            left_out.append(f"{name} (not {', '.join(sorted(SUFFIXES))})")
        elif name.startswith(RESULTS.removesuffix(".json")):
            left_out.append(f"{name} (its figures stand in the card)")
        else:
            names.append(name)
    return names, left_out


def _events(logs: Path) -> list[Path]:
    return [path for path in sorted(logs.rglob("events.out.tfevents.*")) if path.is_file() and not path.is_symlink()]
