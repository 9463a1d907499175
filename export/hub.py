"""Downloading a checkpoint from a model hub, or taking it from the hub's cache."""

from __future__ import annotations

from pathlib import Path

from .checkpoint import Checkpoint, open_checkpoint
from .errors import CheckpointError
from .modules import FILES as MODULE_FILES
from .scoring import FILES as SCORING_FILES
from .source import COMMIT
from .tokenizer import FILES as TOKENIZER_FILES
from .weights import FILES as WEIGHT_FILES

_WANTED = ["config.json", "README.md", *TOKENIZER_FILES, *SCORING_FILES, *WEIGHT_FILES]
_WANTED += MODULE_FILES
_WHOLE = ("config.json", "*.safetensors", "tokenizer.json")
_ATTEMPTS = 4
"""A connection that breaks is made anew, and goes on where the last one ended."""
_COPY = "Or copy the checkpoint's folder here and give its path"


def download(name: str, revision: str | None, relevant_label: str | None = None) -> Checkpoint:
    """Fetch a model's files, all but those that are in the cache already, and open them.

    With HF_HUB_OFFLINE set, the cache is all that is looked at. Raises CheckpointError, which says
    what to do, when the model cannot be had or cannot be exported.
    """
    from huggingface_hub import constants

    find = _from_cache if constants.HF_HUB_OFFLINE else _from_hub
    try:
        folder = find(name, revision)
    except Exception as error:  # which ones depends on the hub library's own transport
        raise CheckpointError(f"{name}: {_explained(name, revision, error)}") from error
    try:
        return open_checkpoint(
            folder, name=name, revision=folder.name, relevant_label=relevant_label
        )
    except CheckpointError as error:
        if all(any(folder.glob(kind)) for kind in _WHOLE):
            raise
        raise CheckpointError(
            f"{error}. The hub's cache may hold the model in part: run the same command again "
            "with a network, and without HF_HUB_OFFLINE"
        ) from error


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import HfApi

    if revision is None or not COMMIT.fullmatch(revision):
        # Asked first, so that without a network nobody gets an old commit of the cache unawares.
        HfApi().model_info(name, revision=revision)
    for left in reversed(range(_ATTEMPTS)):
        try:
            return _snapshot(name, revision)
        except Exception as error:
            if left == 0 or not _is_broken_off(error):
                raise
    raise AssertionError("unreachable")


def _from_cache(name: str, revision: str | None) -> Path:
    return _snapshot(name, revision, from_cache=True)


def _snapshot(name: str, revision: str | None, *, from_cache: bool = False) -> Path:
    """Return a folder that is called by its commit, whatever branch or tag was asked for."""
    from huggingface_hub import snapshot_download

    folder = snapshot_download(
        name, revision=revision, allow_patterns=_WANTED, local_files_only=from_cache
    )
    return Path(folder)


def _is_broken_off(error: Exception) -> bool:
    """Whether a connection broke when there had been one."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    return _is_transport(error) and not isinstance(error, LocalEntryNotFoundError)


def _is_transport(error: BaseException) -> bool:
    """Whether a connection broke, whichever library it was made with."""
    while error.__cause__ is not None and type(error).__name__ == "LocalEntryNotFoundError":
        error = error.__cause__
    kinds = {kind.__name__ for kind in type(error).__mro__}
    known = {"ConnectionError", "ChunkedEncodingError", "Timeout", "TransportError"}
    return bool(kinds & known) and "OfflineModeIsEnabled" not in kinds


def _status(error: BaseException | None) -> int | None:
    """Return the HTTP status that an error, or its cause, is about."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if isinstance(status, int):
            return status
        error = error.__cause__
    return None


def _explained(name: str, revision: str | None, error: Exception) -> str:
    from huggingface_hub import constants, errors

    hub, status = constants.ENDPOINT, _status(error)
    if constants.HF_HUB_OFFLINE:
        wanted = f"its commit {revision}" if revision else "it"
        return (
            f"HF_HUB_OFFLINE is set, and the hub's cache ({constants.HF_HUB_CACHE}) does not hold "
            f"{wanted}{_cached_commits(name)}. Unset HF_HUB_OFFLINE to download it. {_COPY}"
        )
    if isinstance(error, errors.GatedRepoError):
        return (
            f"its owner grants access on request: ask for it at {hub}/{name}, then log in with "
            "hf auth login, or set HF_TOKEN"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"the model on {hub} has no revision {revision!r}; name a commit, tag or branch"
    if isinstance(error, errors.RepositoryNotFoundError) or status == 404:
        return (
            f"there is no folder of this name here, and no such model on {hub}, or it is private. "
            "Check the name; for a private model log in with hf auth login, or set HF_TOKEN"
        )
    if status in (401, 403):
        return (
            f"{hub} refuses access (HTTP {status}): the token in HF_TOKEN, or of hf auth login, "
            "is not valid for this model"
        )
    if status == 429:
        return (
            f"{hub} has had too many requests from here (HTTP 429); wait some minutes and run the "
            "same command again, which goes on where this one ended; who is logged in may ask more"
        )
    if status is not None:
        return f"{hub} fails (HTTP {status}: {_first_line(error)}); try again later. {_COPY}"
    if _is_transport(error):
        return (
            f"{hub} cannot be reached ({_first_line(error)}). Run the same command again, which "
            f"goes on where this one ended{_use_the_cache(name)}. {_COPY}"
        )
    return f"cannot be downloaded ({_first_line(error)}). {_COPY}"


def _first_line(error: BaseException) -> str:
    while error.__cause__ is not None and type(error).__name__ == "LocalEntryNotFoundError":
        error = error.__cause__
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _commits(name: str) -> list[str]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}" / "snapshots"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _cached_commits(name: str) -> str:
    commits = _commits(name)
    return f", only {', '.join(commits)} (choose one with --revision)" if commits else ""


def _use_the_cache(name: str) -> str:
    return ", or set HF_HUB_OFFLINE=1 to use what the cache holds" if _commits(name) else ""
