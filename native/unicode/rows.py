"""Lays out the rows of a generated table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

_WIDTH = 100


def filled(rows: Iterable[str]) -> Iterator[str]:
    """Put as many rows on each line as fit."""
    line = ""
    for row in rows:
        if len(line) + 1 + len(row) > _WIDTH:
            yield line
            line = ""
        line = f"{line} {row}" if line else f"    {row}"
    if line:
        yield line


def write_header(path: Path, about: list[str], include: str, arrays: dict[str, list[str]]) -> None:
    """Write a header with constant arrays, each named by its declaration."""
    lines = [
        *(f"// {line}" for line in about), "#pragma once", "", f'#include "{include}"', "",
        "namespace edge_rerank::tokenizer {", "", "// clang-format off",
    ]  # fmt: skip
    for declaration, rows in arrays.items():
        lines += [f"constexpr {declaration} = {{", *filled(rows), "};"]
    lines += ["// clang-format on", "", "} // namespace edge_rerank::tokenizer"]
    path.write_text("\n".join(lines) + "\n", "utf-8")
