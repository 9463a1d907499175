"""Which files of a folder are parts, and where each goes: all of it is known before any work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from edge_rerank.errors import InputError
from edge_rerank.reading.entries import AUTO, COMPRESSED, PARQUET, form_of

_HIDDEN = (".", "_")  # what Spark, Hadoop and Hive keep beside their parts


@dataclass(frozen=True, slots=True)
class Part:
    """A file to read, its form, and the file that its scores go to."""

    source: str
    form: str
    output: str


def find_parts(folder: str, output: str, form: str) -> list[Part]:
    """Return the files of a folder and of those within, in the order of their names.

    ``form`` is that of all, or AUTO, which goes by their names. Raises InputError for a file of
    another kind, and where two parts would go to the same file.
    """
    parts = [
        _part(folder, output, name, form)
        for name in sorted(_files(folder, os.path.realpath(output)))
    ]
    if not parts:
        raise InputError(f"{folder}: holds no file to score; names that begin with _ or . are not")
    kinds = {part.form == PARQUET: part.source for part in parts}
    if len(kinds) > 1:
        raise InputError(
            f"{folder}: holds Parquet and lines, {kinds[True]} and {kinds[False]}: what is made of "
            "both nobody reads as one table; score each kind from a folder of its own"
        )
    seen: dict[str, str] = {}
    for part in parts:
        other = seen.setdefault(part.output, part.source)
        if other != part.source:
            raise InputError(
                f"{other} and {part.source} would both become {part.output}; rename one"
            )
    return parts


def check_output(folder: str, output: str, *, resume: bool) -> None:
    """Raise InputError for a folder that cannot take the parts."""
    if output == "-":
        raise InputError(f"{folder}: is a folder; name one for its scores with --output")
    if os.path.lexists(output) and not os.path.isdir(output):
        raise InputError(f"{output}: is no folder; {folder} is one, and so must be its output")
    inner, outer = os.path.realpath(output), os.path.realpath(folder)
    if inner == outer or inner.startswith(os.path.join(outer, "")):
        raise InputError(f"{output}: lies in the input, {folder}; name a folder beside it")
    if os.path.isdir(output) and not resume:
        there = next((name for name in os.listdir(output) if not name.startswith(_HIDDEN)), None)
        if there is not None:
            raise InputError(
                f"{output}: is not empty, it holds {there}; --resume goes on after its finished "
                "parts, or name another --output"
            )


def _files(folder: str, output: str) -> Iterator[str]:
    """Yield the names of the files, from the folder on; links to folders are followed once."""
    seen = {output}

    def walk(inner: str) -> Iterator[str]:
        real = os.path.realpath(os.path.join(folder, inner))
        if real in seen:
            return
        seen.add(real)
        with os.scandir(os.path.join(folder, inner)) as entries:
            for entry in entries:
                name = os.path.join(inner, entry.name)
                if entry.name.startswith(_HIDDEN):
                    continue
                if entry.is_dir():
                    yield from walk(name)
                else:
                    yield name

    return walk("")


def _part(folder: str, output: str, name: str, form: str) -> Part:
    source = os.path.join(folder, name)
    known = form_of(name) if form == AUTO else form
    if known == AUTO:
        raise InputError(
            f"{source}: its name does not say what it is; expected .parquet, .jsonl, .json, .csv "
            "or .tsv, also with .gz, .bz2 or .xz; --format says it for all files"
        )
    target = name
    if known != PARQUET:
        stem, ending = os.path.splitext(name)
        if ending.lower() in COMPRESSED:
            name, (stem, ending) = stem, os.path.splitext(stem)
        target = (name if form_of(name) == AUTO else stem) + ".jsonl"
    return Part(source, known, os.path.join(output, target))
