"""The routes that score: one way through for all of them, a shape for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import ModuleType
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from edge_rerank.server.bodies import read_object
from edge_rerank.server.errors import ClientGoneError, InternalError, RequestError
from edge_rerank.server.observation import Observation
from edge_rerank.server.routes.answers import error_response, json_bytes
from edge_rerank.server.service import Service
from edge_rerank.server.shapes.work import Shape

Endpoint = Callable[[Request], Awaitable[Response]]
ShapeOf = Callable[[Mapping[str, Any]], Shape]

CLIENT_GONE = 499
"""The status that logs show for a client who did not wait; nobody receives it."""


def scoring_endpoint(service: Service, shape_of: ShapeOf, fallback: ModuleType) -> Endpoint:
    """Return a route's function; ``fallback`` writes errors while the shape is not known."""

    async def endpoint(request: Request) -> Response:
        seen: Observation = request.scope["edge_rerank"]
        shape = cast("Shape", fallback)
        try:
            with service.admission.hold() as hold:
                body = await read_object(request, service.admission, hold)
                if service.settings.log_texts:
                    seen.texts = body
                shape = shape_of(body)
                work = shape.parse(body, service.settings.limits)
                seen.characters = sum(len(query) + len(text) for query, text in work.pairs)
                outcome = await service.run(work, hold, lambda: _gone(request), seen)
                content = json_bytes(shape.answer(work, outcome))
            return Response(content, headers=seen.headers(), media_type="application/json")
        except ClientGoneError:
            seen.failure = "gone"
            return JSONResponse(None, CLIENT_GONE)
        except Exception as error:
            known = _known(service, error, seen)
            seen.failure = known.code.lower()
            return error_response(known, shape.error(known, seen.request_id))
        finally:
            service.metrics.answered(seen)

    return endpoint


def fixed(shape: ModuleType) -> ShapeOf:
    """Return a choice that is always the same."""
    return lambda body: cast("Shape", shape)


async def _gone(request: Request) -> None:
    """Wait until the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _known(service: Service, error: Exception, seen: Observation) -> RequestError:
    if isinstance(error, RequestError):
        return error
    service.log.trouble("fault", error, id=seen.request_id, route=seen.route)
    return InternalError("the server has a fault; its log says more")
