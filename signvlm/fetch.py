"""Where a checkpoint lies: a folder here, or a repository of the Hub, fetched into its cache without any pickle."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import validate_repo_id

from data_engineering.errors import ConfigError, RunError
from data_engineering.settings import DataSettings
from signvlm.bundles import POSE_WEIGHTS
from signvlm.config import load
from signvlm.token import find_token

# Weights, configuration and text. Not .bin, .pt or .pth: a pickle runs code on whoever loads it.
SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".yaml", ".jinja", ".md"})
HTTP_ERROR: type[BaseException] = HfHubHTTPError.__mro__[
    1
]  # the base of all errors of the HTTP library that this huggingface_hub is built on


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's folder.

    Attributes:
        folder: It, on this machine.
        overrides: What its configuration must not decide here, as `signvlm.config.load` takes it: a stranger's data
            root and device.
    """

    folder: Path
    overrides: tuple[str, ...] = ()


def find_checkpoint(
    checkpoint: str | Path, *, revision: str | None = None, token: str | None = None, endpoint: str | None = None
) -> Checkpoint:
    """Finds a checkpoint; a repository is fetched as far as the cache does not hold it already.

    Args:
        checkpoint: A folder, or `user/name` or `user/name@revision` on the Hub. A folder that is there wins. What is
            neither passes as a folder, so that whoever reads it says what is missing.
        revision: A branch, tag or commit of the repository; None for what `checkpoint` says, else its main branch.
        token: For a private repository; None for the one that `signvlm.token.find_token` finds.
        endpoint: The Hub's address; None for the usual one (HF_ENDPOINT).

    Raises:
        ConfigError: The repository is no bundle, or asks for a base by a path.
        RunError: It cannot be fetched: no such name, no permission, no network.
    """
    name, _, tail = Path(checkpoint).as_posix().partition("@")
    folder = Path(checkpoint)
    if folder.exists() or not is_repository(name):
        return Checkpoint(folder)
    revision = revision or tail or None
    found = find_token() if token is None else None
    try:
        fetched = snapshot_download(
            name,
            revision=revision,
            token=token or (found.value if found else False),
            endpoint=endpoint,
            allow_patterns=[f"*{suffix}" for suffix in sorted(SUFFIXES)],
            library_name="signvlm",
        )
    except (HTTP_ERROR, OSError, ValueError, RuntimeError) as error:
        raise RunError(f"{name}: no such folder here, and {_explain(error, revision)}") from error
    return Checkpoint(Path(fetched), _checked(Path(fetched), name))


def is_repository(name: str) -> bool:
    """Tells whether a text has the form of a repository's name, `user/name`."""
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return name.count("/") == 1


def _checked(folder: Path, name: str) -> tuple[str, ...]:
    """Checks what a stranger's configuration asks of this machine; returns the overrides that keep it to itself."""
    if not any(folder.glob("*.safetensors")):
        raise ConfigError(f"{name}: holds no weights as safetensors, and pickled ones are never loaded; name another")
    if not (folder / "config.yaml").is_file():
        raise ConfigError(f"{name}: not a bundle of signvlm (no config.yaml); name another, or load it with peft")
    base = load(folder / "config.yaml").model.base
    its_own = any((folder / place).is_file() for place in ("config.json", "base/config.json", POSE_WEIGHTS))
    if not its_own and not is_repository(base):
        raise ConfigError(f"{name}: its base, {base!r}, is a folder that only its author has; ask for a merged model")
    nowhere = DataSettings()
    return (
        f"data.root={nowhere.root}",
        f"data.index={nowhere.index}",
        "model.device=auto",
        "model.dtype=auto",
        "download.cookies=null",
        "training.output_dir=null",
    )


def _explain(error: BaseException, revision: str | None) -> str:
    """Returns why the Hub did not give it and what to do, in one line; no message of the Hub's, no token."""
    if isinstance(error, RevisionNotFoundError):
        return f"the repository of that name has no revision {revision!r}; name one of its branches, tags or commits"
    if isinstance(error, RepositoryNotFoundError):
        return "the Hub shows none of that name; correct it, or, if it is private or gated, set HF_TOKEN in .env"
    offline = isinstance(error, OfflineModeIsEnabled) or isinstance(error.__cause__, OfflineModeIsEnabled)
    if offline:
        return "the Hub is switched off by HF_HUB_OFFLINE and the cache lacks it; unset it, or name a folder"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__
    if cause is not None and cause.response is not None:
        return f"the Hub answered {cause.response.status_code}; try again later, or check HF_TOKEN in .env"
    if isinstance(error, (LocalEntryNotFoundError, HTTP_ERROR)):
        return "the Hub cannot be reached; check the network and HF_ENDPOINT, or name a folder"
    return f"it cannot be fetched ({' '.join(str(error).split())[:160]}); free space, or try again"
