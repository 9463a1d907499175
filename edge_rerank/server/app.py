"""The application: routes, and what every request passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import ModuleType

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge_rerank.server.errors import MethodError, NotFoundError, RequestError
from edge_rerank.server.front import Front
from edge_rerank.server.keys import Keyring
from edge_rerank.server.openapi import openapi
from edge_rerank.server.page import page
from edge_rerank.server.routes.about import About
from edge_rerank.server.routes.answers import error_response, json_response
from edge_rerank.server.routes.scoring import ShapeOf, fixed, scoring_endpoint
from edge_rerank.server.service import Service
from edge_rerank.server.shapes import either, predict, score

RANKING = ("/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking")
SCORING = ("/score", "/v1/score")
OPEN = ("/", "/health", "/ping", "/metrics", "/openapi.json", "/docs")
"""Paths that need no key: they tell nothing of requests, and monitors have none."""


def create_app(service: Service) -> Starlette:
    """Make the application around a service, which it starts and closes."""
    settings = service.settings
    routes = _routes(service)
    front = Middleware(
        Front,
        keyring=Keyring(settings.keys),
        log=service.log,
        paths=[route.path for route in routes],
        open_paths=OPEN,
        discard_bytes=settings.limits.body_bytes * 4,
    )
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=("GET", "POST"),
        allow_headers=("authorization", "content-type", "x-request-id"),
        expose_headers=("retry-after", "x-request-id"),
    )
    app = Starlette(
        routes=routes,
        middleware=[cors, front] if settings.cors_origins else [front],
        exception_handlers={HTTPException: _http_error},
        lifespan=partial(_lifespan, service),
    )
    app.router.redirect_slashes = False
    return app


def _routes(service: Service) -> list[Route]:
    about, document = About(service), openapi(service.settings)

    def scoring(path: str, shape_of: ShapeOf, fallback: ModuleType) -> Route:
        return Route(path, scoring_endpoint(service, shape_of, fallback), methods=["POST"])

    async def described(request: Request) -> Response:
        return json_response(document)

    async def alive(request: Request) -> Response:
        if service.settings.page and "text/html" in request.headers.get("accept", ""):
            return page("rank.html")
        return await about.health(request)

    async def docs(request: Request) -> Response:
        return page("docs.html")

    answers = {
        "/": alive,
        "/info": about.info,
        "/health": about.health,
        "/ping": about.health,
        "/metrics": about.metrics,
        "/v1/models": about.models,
        "/openapi.json": described,
        **({"/docs": docs} if service.settings.page else {}),
    }
    return [
        *(scoring(path, either.shape_of, either) for path in RANKING),
        *(scoring(path, fixed(score), score) for path in SCORING),
        scoring("/predict", fixed(predict), predict),
        *(Route(path, answer, methods=["GET"]) for path, answer in answers.items()),
    ]


@asynccontextmanager
async def _lifespan(service: Service, app: Starlette) -> AsyncIterator[None]:
    service.scheduler.start()
    dropping = None
    if service.settings.keep_seconds is not None:
        dropping = asyncio.create_task(service.models.drop_unused(service.settings.keep_seconds))
    try:
        yield
    finally:
        if dropping is not None:
            dropping.cancel()
            with suppress(asyncio.CancelledError):
                await dropping
        service.close()


async def _http_error(request: Request, raised: Exception) -> Response:
    """Answer in JSON where no route did."""
    assert isinstance(raised, HTTPException)
    error: RequestError
    if raised.status_code == MethodError.status:
        error = MethodError(f"this path does not take {request.method}")
    else:
        error = NotFoundError("there is no such path; /openapi.json lists all")
    response = error_response(error, either.error(error, request.scope["edge_rerank"].request_id))
    if raised.headers and "Allow" in raised.headers:
        response.headers["Allow"] = raised.headers["Allow"]
    return response
