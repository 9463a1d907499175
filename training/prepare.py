"""Passages and queries of all sources, made once and kept in the work folder."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from edge_rerank.files import whole_file

from .parse import sections_of
from .passages import Passage, select_passages
from .queries import Query, make_queries
from .sources import SOURCES


def write_lines(path: Path, rows: list[Passage] | list[Query]) -> None:
    """A row a line; a file with its final name is whole."""
    with whole_file(path) as stream:
        stream.writelines(
            f"{json.dumps(asdict(row), ensure_ascii=False)}\n".encode() for row in rows
        )


def read_passages(path: Path) -> list[Passage]:
    """What write_lines wrote."""
    return [Passage(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def read_queries(path: Path) -> list[Query]:
    """What write_lines wrote."""
    rows = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    return [Query(**{**row, "relevant": tuple(row["relevant"])}) for row in rows]


def prepare(work: Path, seed: int, say: Callable[[str], None]) -> tuple[list[Passage], list[Query]]:
    """Both lists, from the work folder where an earlier run with this seed left them."""
    passages_file, queries_file = work / f"passages-{seed}.jsonl", work / f"queries-{seed}.jsonl"
    if not passages_file.exists() or not queries_file.exists():
        passages: list[Passage] = []
        for source in SOURCES:
            selected = select_passages(sections_of(source, work), source, seed)
            say(f"{source.name}: {len(selected)} passages")
            passages += selected
        write_lines(passages_file, passages)
        write_lines(queries_file, make_queries(passages, seed))
    return read_passages(passages_file), read_queries(queries_file)
