"""Every error this package raises on purpose: one family, one class per cause.

A message names the value that was wrong, where it was found and what would be right, so that a
program can catch the class and a person can act on the text.
"""

from __future__ import annotations

from typing import Any


class EdgeRerankError(Exception):
    """Base of every error that edge-rerank raises on purpose."""

    def __init__(self, message: str = "", *, index: int | None = None) -> None:
        """Say what was wrong, and with which pair or document of many."""
        super().__init__(message)
        self.index = index
        """The place of the pair or document at fault, from 0; None where neither is."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep the place when the error comes from another process."""
        return _restored, (type(self), str(self), self.index)


class ArtifactError(EdgeRerankError):
    """The model folder cannot be used as it is."""


class ArtifactNotFoundError(ArtifactError):
    """A folder or file that an artifact must have is not there."""


class FormatVersionError(ArtifactError):
    """The folder is of another format, or of a version this release cannot read."""


class ManifestError(ArtifactError):
    """``manifest.json`` or ``probes.json`` is not what the format asks for."""


class UnsafePathError(ArtifactError):
    """A name in the artifact could lead to a file outside the artifact's folder."""


class ChecksumError(ArtifactError):
    """A file differs in size or SHA-256 from what the manifest records."""


class TokenizerError(ArtifactError):
    """``tokenizer.json`` cannot be read, or cannot encode pairs."""


class InputError(EdgeRerankError, ValueError):
    """A query, document, parameter or environment variable is not usable."""


class EngineError(EdgeRerankError):
    """The engine could not be started, or failed while it ran."""


class ParityError(EdgeRerankError):
    """The model does not give the scores that its artifact, or the checkpoint, promises."""


class MissingExtraError(EdgeRerankError):
    """A library that an optional part needs is not installed; the message names the extra."""


class ClosedError(EdgeRerankError):
    """The reranker was used after it had been closed."""


class CancelledError(EdgeRerankError):
    """A call was ended by its :class:`~edge_rerank.CancelToken`."""


class TimedOutError(EdgeRerankError, TimeoutError):
    """A call was not done within its ``timeout``."""


class UnsupportedCpuError(EdgeRerankError, ImportError):
    """The processor is too old for the libraries this package needs; raised at its import."""


def no_thread(error: Exception) -> EngineError:
    """Return the error for a thread that the system does not make."""
    return EngineError(
        f"no thread can be started: {error}; the limit of processes is reached (ulimit -u, a "
        "container's pids limit), or the system is too old for this container; a single thread "
        "needs no other (threads)"
    )


def interrupt_behind(
    error: BaseException | None, outer: BaseException | None
) -> KeyboardInterrupt | None:
    """Return the interrupt that became ``error`` on its way, as in the middle of an import.

    Python makes a RuntimeError of it where a class was being made, and C extensions an
    ImportError. ``outer`` was being handled before, and has nothing to do with it.
    """
    while error is not None and error is not outer:
        if isinstance(error, KeyboardInterrupt):
            return error
        error = error.__cause__ or error.__context__
    return None


def _restored(kind: type[EdgeRerankError], message: str, index: int | None) -> EdgeRerankError:
    return kind(message, index=index)


def shown(value: object) -> str:
    """Return ``value`` as it can stand in one line of an error message."""
    text = ascii(value)
    return text if len(text) <= 80 else text[:77] + "..."
