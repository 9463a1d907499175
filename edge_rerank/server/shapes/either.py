"""Shape by the body, as llama.cpp's server does: ``texts`` or ``documents``."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, cast

from edge_rerank.server.errors import InvalidError, RequestError
from edge_rerank.server.shapes import documents, tei
from edge_rerank.server.shapes.work import Shape


def shape_of(body: Mapping[str, Any]) -> Shape:
    """Tell the shape of a request; raises InvalidError when it has neither field."""
    chosen: ModuleType
    if body.get("texts") is not None:
        chosen = tei
    elif "documents" in body:
        chosen = documents
    elif "texts" in body:
        chosen = tei
    else:
        raise InvalidError("missing field `documents` (a list of texts), or `texts`")
    return cast("Shape", chosen)


def error(error: RequestError, request_id: str) -> tuple[int, Mapping[str, Any]]:
    """Return an error that clients of either shape can read, for a body of neither."""
    _, first = tei.error(error, request_id)
    status, second = documents.error(error, request_id)
    return status, {**first, **second}
