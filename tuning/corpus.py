"""The passages of a collection, in the BEIR layout, to find hard negatives in."""

from __future__ import annotations

from pathlib import Path

from edge_rerank.errors import InputError
from edge_rerank.evaluation.collection import corpus_file, read_texts


def read_corpus(folder: str) -> list[str]:
    """Return titles and texts; raises InputError that names the file, the line and the remedy."""
    path = corpus_file(Path(folder))
    if not path.is_file():
        raise InputError(
            f"{folder}: has no corpus.jsonl; --collection is a folder with one, whose lines have "
            "_id, text and, often, title (the BEIR layout)"
        )
    found = dict.fromkeys(text for _, text in read_texts(path, title=True) if text.strip())
    if not found:
        raise InputError(f"{path}: has no passage; is it the right file?")
    return list(found)
