"""Files to a repository of the Hugging Face Hub, in one commit; and why the Hub did not take them, in one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled
from huggingface_hub.utils import validate_repo_id

from data_engineering.errors import ConfigError, RunError
from signvlm.fetch import HTTP_ERROR
from signvlm.token import Token, find_token

CARD = "README.md"


@dataclass(frozen=True)
class Upload:
    """What a push sends, or would send.

    Attributes:
        repo: The repository, `user/name`.
        files: (path in the repository, bytes) of every file, the card among them.
        left_out: What lies there and never goes, each with the reason.
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


def check_name(repo: str) -> None:
    """Refuses what is no `user/name`; raises ConfigError."""
    try:
        validate_repo_id(repo)
    except HFValidationError as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"hub.repo: {repo!r} is no repository name ({reason[:160]}); give user/name") from error
    if repo.count("/") != 1:
        raise ConfigError(f"hub.repo: {repo!r} does not say whose it is; give user/name")


def sizes(contents: Mapping[str, bytes | Path]) -> tuple[tuple[str, int], ...]:
    """Returns (path in the repository, bytes) of each file, by name."""
    return tuple(
        (name, len(content) if isinstance(content, bytes) else content.stat().st_size)
        for name, content in sorted(contents.items())
    )


def send(
    contents: Mapping[str, bytes | Path],
    repo: str,
    *,
    kind: str,
    message: str,
    private: bool,
    revision: str | None,
    endpoint: str | None,
) -> str:
    """Sends files in one commit: a push that broke off leaves the repository as it was, and the next completes it.

    What has arrived of the large files is not sent again.

    Args:
        contents: {path in the repository: its bytes, or the file that holds them}.
        repo: `user/name`; created where it does not exist.
        kind: `model` or `dataset`.
        message: The commit's.
        private: Create it as a private one; one that exists and is public is refused.
        revision: The branch to commit to, created where it does not exist; None for the main one.
        endpoint: The Hub's address; None for the usual one (HF_ENDPOINT).

    Returns:
        Where it lies now.

    Raises:
        ConfigError: There is no token.
        RunError: The Hub cannot be reached or refuses.
    """
    token = find_token()
    if token is None:
        raise ConfigError("HF_TOKEN: no token; put one with write access into .env (see .env.example), or --dry-run")
    api = HfApi(endpoint=endpoint, token=token.value, library_name="signvlm")
    try:
        url = api.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        if private and not api.repo_info(repo, repo_type=kind).private:
            raise RunError(f"{repo}: exists and is public; make it private in its settings on the Hub, or name another")
        if revision is not None:
            api.create_branch(repo, repo_type=kind, branch=revision, exist_ok=True)
        api.create_commit(
            repo,
            [CommitOperationAdd(name, _given(content)) for name, content in sorted(contents.items())],
            commit_message=message,
            repo_type=kind,
            revision=revision,
        )
    # ValueError and RuntimeError are what uploads of large files raise around their cause.
    except (HTTP_ERROR, OSError, ValueError, RuntimeError) as error:
        raise RunError(f"{repo}: {_explain(error, token)}") from error
    return f"{url}/tree/{revision}" if revision else str(url)


def _given(content: bytes | Path) -> bytes | str:
    return content if isinstance(content, bytes) else str(content)


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
