"""What the commands share: options, the model they open, results as strict JSON."""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from edge_rerank.cli.parser import thread_count, whole_number
from edge_rerank.engines.choose import ENGINES
from edge_rerank.errors import InputError
from edge_rerank.reranker import Reranker


def add_model_argument(parser: argparse.ArgumentParser) -> None:
    """Add the model, as an argument and as an option: the other commands have the option."""
    parser.add_argument("directory", nargs="?", metavar="DIR", help="default: the built-in model")
    add_model_option(parser)


def add_model_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the model."""
    parser.add_argument("--model", metavar="DIR", help="model folder (default: the built-in model)")


def add_loading_options(
    parser: argparse.ArgumentParser, *, more_engines: Sequence[str] = ()
) -> None:
    """Add the options that say how the model runs; ``more_engines`` are a command's own."""
    add_threads_option(parser)
    parser.add_argument(
        "--max-length",
        type=whole_number,
        metavar="N",
        help="most tokens of a pair (default: the model's)",
    )
    parser.add_argument(
        "--skip-verify", action="store_true", help="do not check the model files' SHA-256"
    )
    parser.add_argument(
        "--skip-self-check", action="store_true", help="do not score two probe pairs at the start"
    )
    add_engine_options(parser, more_engines)


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says how many threads compute."""
    parser.add_argument(
        "--threads",
        type=thread_count,
        metavar="N",
        help="threads, or auto for all the process may use (default: EDGE_RERANK_THREADS, or auto)",
    )


def add_engine_options(parser: argparse.ArgumentParser, more: Sequence[str] = ()) -> None:
    """Add the options that say what computes."""
    parser.add_argument(
        "--engine",
        choices=[*ENGINES, *more],
        default="auto",
        help="default: auto, the native engine where it can run the model, else onnxruntime",
    )
    add_kernel_option(parser)


def add_kernel_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that says which kernel of the native engine computes."""
    parser.add_argument(
        "--kernel",
        metavar="NAME",
        help="kernel of the native engine, such as avx2 (default: the fastest for this CPU)",
    )


def model_of(options: argparse.Namespace) -> str | None:
    """Return the model that is named, by the argument or the option; None is the built-in one."""
    directory: str | None = getattr(options, "directory", None)
    model: str | None = options.model
    if directory is not None and model is not None:
        raise InputError("the model is named both by an argument and by --model; use one of them")
    named = model if directory is None else directory
    if named == "":
        raise InputError("the model's name is empty; is the shell variable set?")
    return named


def open_reranker(options: argparse.Namespace) -> Reranker:
    """Load the model that the options ask for."""
    return Reranker.load(
        model_of(options),
        threads=options.threads,
        max_length=options.max_length,
        engine=options.engine,
        kernel=options.kernel,
        verify=not options.skip_verify,
        self_check=not options.skip_self_check,
    )


def path_text(path: str | os.PathLike[str]) -> str:
    """Return a path as text: its bytes read as UTF-8, whatever the locale makes of them."""
    return os.fsencode(path).decode("utf-8", "replace")


def to_json(value: object) -> str:
    """Return ``value`` as indented, strict JSON: what is no finite number becomes null."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [_finite(member) for member in value]
    return value


def with_members(source: str, members: Mapping[str, Any]) -> str:
    """Return a JSON object's text with more members at its end; what it has stays as written."""
    head = source[:-1].rstrip()
    added = json.dumps(members, ensure_ascii=False, allow_nan=False)
    return f"{head}{'' if head == '{' else ', '}{added[1:]}"
