"""The shape of text-embeddings-inference: ``texts`` in, a bare array out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank.server.errors import RequestError
from edge_rerank.server.settings import Limits
from edge_rerank.server.shapes import fields
from edge_rerank.server.shapes.work import Cutting, Outcome, Work


def parse(body: Mapping[str, Any], limits: Limits) -> Work:
    """Understand a request; see Shape."""
    query = fields.query(body, limits)
    # Haystack sends null for a document without text.
    texts = [
        "" if item is None else fields.text(item, f"`texts[{index}]`", limits.document_characters)
        for index, item in enumerate(fields.listed(body, "texts", limits))
    ]
    return Work(
        pairs=[(query, text) for text in texts],
        model=fields.name_of_model(body),
        raw=fields.flag(body, "raw_scores", False),
        top_n=fields.count_or_all(body, "top_n"),
        documents=texts if fields.flag(body, "return_text", False) else None,
        cutting=cutting(body),
    )


def answer(work: Work, outcome: Outcome) -> list[dict[str, Any]]:
    """Return the answer; see Shape."""
    results = []
    for index in outcome.order(work):
        result: dict[str, Any] = {"index": index, "score": outcome.score(index, work)}
        if work.documents is not None:
            result["text"] = work.documents[index]
        results.append(result)
    return results


def error(error: RequestError, request_id: str) -> tuple[int, Mapping[str, Any]]:
    """Return status and body of an error; see Shape."""
    return error.tei_status, {"error": str(error), "error_type": error.tei_type}


def cutting(body: Mapping[str, Any]) -> Cutting:
    """Read what becomes of long texts, as ``/predict`` has it too."""
    return Cutting(
        refuse=not fields.flag(body, "truncate", True),
        keep_end=fields.keeps_end(body, "truncation_direction"),
    )
