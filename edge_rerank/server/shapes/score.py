"""The shape of vLLM's ``/score``: one text against many, or as many, in input order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edge_rerank.server.errors import InvalidError, RequestError
from edge_rerank.server.settings import Limits
from edge_rerank.server.shapes import fields
from edge_rerank.server.shapes.work import Outcome, Work

NAMES = (("queries", "documents"), ("queries", "items"), ("text_1", "text_2"), ("data_1", "data_2"))


def parse(body: Mapping[str, Any], limits: Limits) -> Work:
    """Understand a request; see Shape."""
    for first, second in NAMES:
        if first in body and second in body:
            break
    else:
        raise InvalidError("missing fields: `queries` and `documents`, or `text_1` and `text_2`")
    queries = _texts(body, first, limits, limits.query_characters)
    documents = _texts(body, second, limits, limits.document_characters)
    if len(queries) == 1:
        queries *= len(documents)
    if len(queries) != len(documents):
        raise InvalidError(
            f"`{first}` has {len(queries)} items and `{second}` has {len(documents)}; "
            "expected one against many, or as many of each"
        )
    return Work(
        pairs=list(zip(queries, documents, strict=True)),
        model=fields.name_of_model(body),
        raw=not fields.flag(body, "use_activation", True),
    )


def answer(work: Work, outcome: Outcome) -> dict[str, Any]:
    """Return the answer; see Shape."""
    return {
        "id": f"score-{outcome.request_id}",
        "object": "list",
        "created": outcome.created,
        "model": outcome.model,
        "data": [
            {"index": index, "object": "score", "score": outcome.score(index, work)}
            for index in range(len(outcome.scored))
        ],
        "usage": {"prompt_tokens": outcome.tokens, "total_tokens": outcome.tokens},
    }


def error(error: RequestError, request_id: str) -> tuple[int, Mapping[str, Any]]:
    """Return status and body of an error, as OpenAI's; see Shape."""
    kind = "BadRequestError" if error.status < 500 else "InternalServerError"
    inner = {"message": str(error), "type": kind, "param": None, "code": error.status}
    return error.status, {"error": inner}


def _texts(body: Mapping[str, Any], name: str, limits: Limits, most: int) -> list[str]:
    if isinstance(body[name], str):
        return [fields.text(body[name], f"`{name}`", most)]
    return [
        fields.text(item, f"`{name}[{index}]`", most)
        for index, item in enumerate(fields.listed(body, name, limits))
    ]
