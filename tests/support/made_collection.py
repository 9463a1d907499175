"""A made-up test collection, small enough to work out by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCUMENTS = {
    "plants": ("Plants", "plants eat light and water"),
    "bridge": ("", "a steel bridge in the wind"),
    "river": ("Rivers", "water flow of rivers, and of plants in water"),
    "wing": ("Wing", "the lift of a wing"),
    "layer": ("Layer", "boundary layer of a wing"),
}
QUERIES = {
    "q1": "how do plants eat",
    "q2": "lift of a wing",
    "q3": "water",
    "q4": "never judged water",
}
QRELS = [("q1", "plants", 2), ("q1", "river", 1), ("q2", "wing", 1), ("q2", "layer", 0),
         ("q3", "river", 1), ("gone", "wing", 1)]  # fmt: skip


def write_lines(path: Path, lines: Sequence[Mapping[str, str]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def write_collection(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = [
        {"_id": name, "title": title, "text": text} for name, (title, text) in DOCUMENTS.items()
    ]
    write_lines(folder / "corpus.jsonl", corpus)
    write_lines(folder / "queries.jsonl", [{"_id": k, "text": v} for k, v in QUERIES.items()])
    lines = ["query-id\tcorpus-id\tscore", *("\t".join(map(str, line)) for line in QRELS)]
    (folder / "qrels.tsv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder
