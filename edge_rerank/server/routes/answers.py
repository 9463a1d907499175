"""Values as JSON, and errors with the headers that clients act on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from edge_rerank.server.errors import RequestError, UnauthorizedError


def json_bytes(value: object) -> bytes:
    """Return JSON in UTF-8, without spaces."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, in what a client gets back as it sent it: escaped, as it came.
        return json.dumps(value, separators=(",", ":")).encode()


def json_response(value: object, status: int = 200) -> Response:
    """Return an answer."""
    return Response(json_bytes(value), status, media_type="application/json")


def error_response(error: RequestError, written: tuple[int, Mapping[str, Any]]) -> Response:
    """Return an error, as a shape has written it, with the headers of its status."""
    status, body = written
    response = json_response(body, status)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, UnauthorizedError):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response
