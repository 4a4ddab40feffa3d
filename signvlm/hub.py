"""Push an adapter bundle to the Hugging Face Hub: the files that make it up, under a fresh model card.

signvlm push --repo user/name --dry-run          # what would go, and the card; needs no network and no token
signvlm push --repo user/name --private
"""

import glob
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from data_engineering.clip import write_text
from data_engineering.errors import ConfigError, RunError
from signvlm.card import model_card
from signvlm.token import Token, find_token

CARD = "README.md"
# Weights, configuration and text. Not .bin, .pt or .pth: a pickle runs code on whoever loads it.
SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".yaml", ".jinja", ".md"})
EVENTS = "tb_logs"
WEIGHTS = (
    ("adapter_config.json", "adapter_model.safetensors"),
    ("config.json", "model.safetensors"),
    ("config.json", "model.safetensors.index.json"),
)
HTTP_ERROR: type[BaseException] = HfHubHTTPError.__mro__[
    1
]  # the base of all errors of the HTTP library that this huggingface_hub is built on


@dataclass(frozen=True)
class Upload:
    """What a push sends, or would send.

    Attributes:
        repo: The repository, `user/name`.
        files: (path in the repository, bytes) of every file, the card among them.
        left_out: The bundle's files that never go, each with the reason.
        card: README.md.
        notes: What its user should know.
        url: Where it lies now; None after a dry run.
    """

    repo: str
    files: tuple[tuple[str, int], ...]
    left_out: tuple[str, ...]
    card: str
    notes: tuple[str, ...]
    url: str | None


def push(
    bundle: Path,
    repo: str,
    *,
    private: bool = False,
    include_tensorboard: bool = False,
    dry_run: bool = False,
    endpoint: str | None = None,
) -> Upload:
    """Pushes a bundle to the Hub. A push that broke off is completed by the next one.

    Args:
        bundle: The bundle's folder, as `train` wrote it. Its README.md is written anew.
        repo: `user/name`; created where it does not exist.
        private: Create it as a private one; one that exists and is public is refused.
        include_tensorboard: Send the run's TensorBoard events (`tb_logs` beside the bundle) too.
        dry_run: Only tell what would be sent: no token, no network, nothing written.
        endpoint: The Hub's address; None for the usual one (HF_ENDPOINT).

    Raises:
        ConfigError: A malformed name, a folder that is no bundle, no token.
        RunError: The Hub cannot be reached or refuses.
    """
    _check_name(repo)
    _check_bundle(bundle)
    card = model_card(bundle, name=repo)
    names, left_out = _sendable(bundle, SUFFIXES)
    logs = bundle.parent / EVENTS
    events = _events(logs) if include_tensorboard and logs.is_dir() else []
    sizes = {CARD: len(card.encode())} | {name: (bundle / name).stat().st_size for name in names if name != CARD}
    sizes |= {f"{EVENTS}/{name}": (logs / name).stat().st_size for name in events}
    notes = []
    if include_tensorboard and not events:
        notes.append(f"{logs}: no TensorBoard events to send")
    upload = Upload(repo, tuple(sorted(sizes.items())), tuple(left_out), card, tuple(notes), None)
    if dry_run:
        return upload

    token = find_token()
    if token is None:
        raise ConfigError("HF_TOKEN: no token; put one with write access into .env (see .env.example), or --dry-run")
    write_text(bundle / CARD, card)
    api = HfApi(endpoint=endpoint, token=token.value, library_name="signvlm")
    try:
        url = api.create_repo(repo, private=private, exist_ok=True)
        if private and not api.model_info(repo).private:
            raise RunError(f"{repo}: exists and is public; make it private in its settings on the Hub, or name another")
        exactly = [glob.escape(name) for name in {CARD, *names}]
        api.upload_folder(
            repo_id=repo, folder_path=bundle, allow_patterns=exactly, commit_message="Push the adapter with signvlm"
        )
        if events:
            api.upload_folder(
                repo_id=repo,
                folder_path=logs,
                path_in_repo=EVENTS,
                allow_patterns=[glob.escape(name) for name in events],
                commit_message="Push the TensorBoard events with signvlm",
            )
    # ValueError and RuntimeError are what uploads of large files raise around their cause.
    except (HTTP_ERROR, OSError, ValueError, RuntimeError) as error:
        raise RunError(f"{repo}: {_explain(error, token)}") from error
    return Upload(upload.repo, upload.files, upload.left_out, card, upload.notes, str(url))


def _check_name(repo: str) -> None:
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"hub.repo: {repo!r} is no repository name ({reason[:160]}); give user/name") from error
    if repo.count("/") != 1:
        raise ConfigError(f"hub.repo: {repo!r} does not say whose it is; give user/name")


def _check_bundle(bundle: Path) -> None:
    if not bundle.is_dir():
        raise ConfigError(f"{bundle}: no such folder; run signvlm train, or name a bundle with --checkpoint")
    if not any(all((bundle / name).is_file() for name in names) for names in WEIGHTS):
        raise ConfigError(f"{bundle}: no bundle (it holds no {' and '.join(WEIGHTS[0])}); name one with --checkpoint")


def _sendable(folder: Path, suffixes: frozenset[str]) -> tuple[list[str], list[str]]:
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
        elif path.suffix not in suffixes:
            left_out.append(f"{name} (not {', '.join(sorted(suffixes))})")
        else:
            names.append(name)
    return names, left_out


def _events(logs: Path) -> list[str]:
    return [
        PurePosixPath(path.relative_to(logs)).as_posix()
        for path in sorted(logs.rglob("events.out.tfevents.*"))
        if path.is_file() and not path.is_symlink()
    ]


def _explain(error: BaseException, token: Token) -> str:
    """Returns why the Hub did not take it and what to do, in one line without the token."""
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub is switched off by HF_HUB_OFFLINE; unset it, or use --dry-run"
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, HfHubHTTPError):
        cause = cause.__cause__
    if cause is None or cause.response is None:
        return f"cannot be pushed ({_one_line(error, token)}); check the network and HF_ENDPOINT, or use --dry-run"
    status = cause.response.status_code
    advice = {
        401: f"the token is not valid (from {token.source}); make a new one on the Hub, under Settings > Access Tokens",
        403: f"the token may not write there (from {token.source}); use one with write access to that name",
        404: "not found, or the token may not see it; check the name and the token's access",
        413: "too large for the Hub; leave the TensorBoard events out",
        429: "too many requests; wait some minutes and push again",
    }.get(status, "push again later: what has arrived is kept")
    return f"the Hub answered {status}: {advice}"


def _one_line(error: BaseException, token: Token) -> str:
    return " ".join(str(error).split()).replace(token.value, "***")[:200] or type(error).__name__
