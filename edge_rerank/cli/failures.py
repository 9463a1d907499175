"""From exceptions to one line and an exit code, in the words of the command line."""

from __future__ import annotations

import re
import signal

from edge_rerank.cli.signals import Ended
from edge_rerank.cli.streams import say
from edge_rerank.errors import EdgeRerankError, InputError

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
EXIT_CODES = """\
exit codes:
  0    done
  1    failed: the model is missing or damaged, the disk is full, the reader went away ...
  2    wrong usage or bad input; one line on standard error says what and where
  130  interrupted (Ctrl-C)
  143  ended by SIGTERM"""

_OPTIONS = {
    "at_a_time": "--at-a-time",
    "depth": "--depth",
    "engine": "--engine",
    "first_stages": "--first-stage",
    "kernel": "--kernel",
    "max_length": "--max-length",
    "output_runs": "--output-runs",
    "query_field": "--query-field",
    "seconds": "--seconds",
    "self_check=False": "--skip-self-check",
    "text_field": "--text-field",
    "threads": "--threads",
    "timeout": "--timeout",
    "top_k": "--top-k",
}
_PHRASES = {
    "Reranker.load(PATH)": "--model DIR",
    "engine='onnxruntime'": "--engine onnxruntime",
}
# A parameter stands at a message's beginning, in brackets, or as what something is named with.
_PARAMETERS = "|".join(map(re.escape, _OPTIONS))
_WORDS = re.compile(
    rf"^({_PARAMETERS})(?= is )|(?<=\()({_PARAMETERS})(?=\))|(?<=with )(\w+_field)$"
)


class UnfinishedError(Exception):
    """Work that stopped half-way: its cause, and where what is finished lies."""

    def __init__(self, cause: BaseException, note: str) -> None:
        super().__init__(cause, note)
        self.cause, self.note = cause, note


def report(error: BaseException) -> int:
    """Say what went wrong in one line, and return the exit code; raises what is not expected."""
    if isinstance(error, UnfinishedError):
        return _report(error.cause, error.note)
    return _report(error, "")


def _report(error: BaseException, note: str) -> int:
    code, message = _told(error)
    message = "; ".join(part for part in (message, note) if part)
    if message:
        say(f"edge-rerank: {message}")
    return code


def _told(error: BaseException) -> tuple[int, str]:
    if isinstance(error, Ended):
        return 128 + error.number, f"ended by {signal.Signals(error.number).name}"
    if isinstance(error, KeyboardInterrupt):
        return EXIT_INTERRUPTED, "interrupted"
    if isinstance(error, BrokenPipeError):
        return EXIT_FAILED, ""  # the reader has all it wanted, such as head
    if isinstance(error, InputError):
        return EXIT_USAGE, in_options(str(error))
    if isinstance(error, (EdgeRerankError, OSError, MemoryError)) or no_thread(error):
        return EXIT_FAILED, in_options(_text(error))
    raise error


def in_options(message: str) -> str:
    """Return a message of the library with its parameters called as the options are."""
    message = _WORDS.sub(lambda found: _OPTIONS.get(found[0], found[0]), message)
    for words, option in _PHRASES.items():
        message = message.replace(words, option)
    return message


def no_thread(error: BaseException) -> bool:
    """Whether the system refused a thread: Python has no exception of its own for it."""
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def _text(error: BaseException) -> str:
    if no_thread(error):
        return (
            "no thread can be started: the limit of processes is reached (ulimit -u, a container's "
            "pids limit), or the system is too old for this container; try --threads 1"
        )
    return str(error) or type(error).__name__
