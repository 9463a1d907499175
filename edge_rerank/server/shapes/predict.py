"""The shape of text-embeddings-inference's ``/predict``: pairs in, a label's score for each out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank.pairs import Pair
from edge_rerank.server.errors import InvalidError
from edge_rerank.server.settings import Limits
from edge_rerank.server.shapes import fields
from edge_rerank.server.shapes.tei import cutting, error
from edge_rerank.server.shapes.work import Outcome, Work

LABEL = "LABEL_0"
"""What transformers calls the one output of a model that does not name it."""

__all__ = ["answer", "error", "parse"]


def parse(body: Mapping[str, Any], limits: Limits) -> Work:
    """Understand a request; see Shape. A pair alone gets its labels without a list around."""
    inputs = fields.listed(body, "inputs", limits)
    single = isinstance(inputs[0], str)
    rows = [inputs] if single else inputs
    return Work(
        pairs=[_pair(row, index, limits) for index, row in enumerate(rows)],
        model=fields.name_of_model(body),
        raw=fields.flag(body, "raw_scores", False),
        single=single,
        cutting=cutting(body),
    )


def answer(work: Work, outcome: Outcome) -> list[Any]:
    """Return the answer; see Shape."""
    labels = [
        [{"score": outcome.score(index, work), "label": LABEL}]
        for index in range(len(outcome.scored))
    ]
    return labels[0] if work.single else labels


def _pair(row: object, index: int, limits: Limits) -> Pair:
    if not isinstance(row, list) or len(row) != 2:
        raise InvalidError(f"`inputs[{index}]` must be a pair: [query, text]")
    query = fields.text(row[0], f"`inputs[{index}][0]`", limits.query_characters)
    return query, fields.text(row[1], f"`inputs[{index}][1]`", limits.document_characters)
