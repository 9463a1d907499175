"""Which models are compared, what their rows are called, and how each is to run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from edge_rerank.artifact.builtin import BUILT_IN, builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.description import EngineChoice
from edge_rerank.engines.choose import check_choice
from edge_rerank.errors import EdgeRerankError, InputError
from edge_rerank.machine.threads import resolve_threads
from edge_rerank.windows.options import Reading


@dataclass(frozen=True, slots=True)
class Choice:
    """A model to measure."""

    name: str
    path: Path
    settings: Mapping[str, Any]
    """For :meth:`Reranker.load`."""
    reading: Reading
    """What it does with long texts."""
    manifest: Manifest | None
    problem: EdgeRerankError | None
    """Why its folder cannot be used, where that is known before anything is loaded."""


def choices_of(
    models: Sequence[str | os.PathLike[str] | None] | Mapping[str, str | os.PathLike[str] | None],
    engines: Sequence[EngineChoice],
    settings: Mapping[str, Any],
    readings: Sequence[Reading] = (Reading(),),
    *,
    taken: Sequence[str],
) -> list[Choice]:
    """Return each model with each engine and way of reading.

    Raises what is wrong with all of them, or with names; ``taken`` are the names of first stages.
    """
    if isinstance(models, (str, bytes, os.PathLike)):
        raise InputError(f"models is {models!r}; expected a list of folders, or names and folders")
    if not models or not engines or not readings:
        raise InputError(
            "nothing to compare: models, engines and long_documents each need one entry or more"
        )
    for engine in engines:
        check_choice(engine, settings["kernel"])
    resolve_threads(settings["threads"])
    named = (
        models.items()
        if isinstance(models, Mapping)
        else zip(names_of(models), models, strict=True)
    )
    found = [
        choice
        for name, path in named
        for choice in _ways(
            name, path, tuple(dict.fromkeys(engines)), tuple(dict.fromkeys(readings)), settings
        )
    ]
    problems = [choice.problem for choice in found if choice.problem is not None]
    if len(problems) == len(found):
        raise problems[0]
    names = [choice.name for choice in found]
    twice = next((name for name in names if names.count(name) > 1 or name in taken), None)
    if twice is not None:
        raise InputError(
            f"two systems would have the same name ({twice}); name the model otherwise: NAME=DIR"
        )
    return found


def names_of(models: Sequence[str | os.PathLike[str] | None]) -> list[str]:
    """Call a model by its folder's name, or by its whole path where another has the same."""
    paths = [BUILT_IN if path is None else os.fspath(path) for path in models]
    names = [os.path.basename(os.path.abspath(path)) or path for path in paths]
    return [
        as_text(name if names.count(name) == 1 else path)
        for name, path in zip(names, paths, strict=True)
    ]


def as_text(path: str) -> str:
    """Return a path's bytes read as UTF-8: files are written that have it in them."""
    return os.fsencode(path).decode("utf-8", "replace")


def _ways(
    name: str,
    path: str | os.PathLike[str] | None,
    engines: Sequence[EngineChoice],
    readings: Sequence[Reading],
    settings: Mapping[str, Any],
) -> Iterator[Choice]:
    manifest, problem = None, None
    folder = builtin_model() if path is None else Path(path)
    try:
        artifact = load_artifact(folder, verify=False)
        folder, manifest = artifact.path, artifact.manifest
    except EdgeRerankError as error:
        problem = error
    for engine, reading in product(engines, readings):
        says = [engine] * (len(engines) > 1) + [reading.name] * (len(readings) > 1)
        own = f"{name} ({', '.join(says)})" if says else name
        yield Choice(own, folder, {**settings, "engine": engine}, reading, manifest, problem)
