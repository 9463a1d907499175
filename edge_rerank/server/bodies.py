"""From the bytes of a request's body to a JSON object, with bounds on everything."""

from __future__ import annotations

import asyncio
import json
import math
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from edge_rerank.server.admission import Admission, Hold
from edge_rerank.server.errors import (
    BodyTooLargeError,
    ClientGoneError,
    MalformedError,
    SlowBodyError,
    UnsupportedMediaError,
)


async def read_object(request: Request, admission: Admission, hold: Hold) -> Mapping[str, Any]:
    """Read the body, which counts into ``hold`` from its first byte, and parse it."""
    check_type(request.headers)
    limits = admission.limits
    try:
        body = await asyncio.wait_for(
            _read(request, limits.body_bytes, hold), limits.request_seconds
        )
    except ClientDisconnect as error:
        raise ClientGoneError("the client went away while it sent the body") from error
    except asyncio.TimeoutError as error:
        seconds = f"{limits.request_seconds:g} seconds"
        raise SlowBodyError(f"the body did not arrive within {seconds}") from error
    return parse_object(body)


def check_type(headers: Mapping[str, str]) -> None:
    """Refuse bodies that are said to be something else than plain JSON.

    A page of another site can make a browser send forms and plain text without asking first, so
    this keeps such pages from using a server on the user's own machine.
    """
    # A page can leave the type out as well; its browser names the page's site then.
    missing = "text/plain" if "origin" in headers else "application/json"
    given = (headers.get("content-type") or missing).partition(";")[0].strip().lower()
    if given != "application/json" and not given.endswith("+json"):
        raise UnsupportedMediaError(
            "the body's Content-Type must be application/json; with curl: "
            "-H 'Content-Type: application/json'"
        )
    if headers.get("content-encoding", "").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaError("the body is compressed; send it without Content-Encoding")


def parse_object(body: bytes) -> Mapping[str, Any]:
    """Parse strict JSON: UTF-8, no NaN, not nested without end, an object at the top."""
    try:
        text = body.removeprefix(BOM_UTF8).decode("utf-8")
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise MalformedError(f"the body is not UTF-8, from byte {error.start} on") from error
    except json.JSONDecodeError as error:
        raise MalformedError(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except RecursionError as error:
        raise MalformedError("the body is JSON nested too deep") from error
    except ValueError as error:  # NaN, or a number that is too large
        raise MalformedError(f"the body is not JSON: {str(error).partition(';')[0]}") from error
    if not isinstance(value, dict):
        raise MalformedError("the body is not a JSON object; expected {...}")
    return value


async def _read(request: Request, most: int, hold: Hold) -> bytes:
    announced = request.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() else 0
    _check_size(length, most)
    hold.bytes(length)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        _check_size(size, most)
        hold.bytes(max(size, length))
        chunks.append(chunk)
    return b"".join(chunks)


def _check_size(size: int, most: int) -> None:
    if size > most:
        raise BodyTooLargeError(f"the body has more than {most} bytes, the most this server takes")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(digits: str) -> float:
    """Refuse what would be infinity, which no answer and no line of the log can hold."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(f"{digits[:20]} is too large a number")
    return number
