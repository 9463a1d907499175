"""The description of all routes, with the bounds that this server really has."""

from __future__ import annotations

from edge_rerank._version import __version__
from edge_rerank.server.answer_schemas import answer_schemas
from edge_rerank.server.request_schemas import request_schemas
from edge_rerank.server.schema import Schema
from edge_rerank.server.settings import Settings


def openapi(settings: Settings) -> Schema:
    """Return the OpenAPI 3.1 document."""
    reads = {
        "/info": ("What is served, as text-embeddings-inference says it", "Info"),
        "/health": ("200 while requests are taken", "Health"),
        "/ping": ("The same as /health", "Health"),
        "/v1/models": ("The names that `model` can have", "Models"),
    }
    ranking = "Rank texts for a query; `documents` or `texts` decides the shape of the answer"
    paths: Schema = {
        path: {"post": _post(ranking, "RankRequest", "RankAnswer", "AnyError")}
        for path in ("/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking")
    }
    for path in ("/score", "/v1/score"):
        summary = "Score pairs in input order, as vLLM does"
        paths[path] = {"post": _post(summary, "ScoreRequest", "ScoreAnswer", "ScoreError")}
    summary = "Score pairs, as text-embeddings-inference does"
    paths["/predict"] = {"post": _post(summary, "PredictRequest", "PredictAnswer", "TeiError")}
    for path, (summary, name) in reads.items():
        paths[path] = {"get": _get(summary, name)}
    metrics = {"200": {"description": "Prometheus text", "content": {"text/plain": {}}}}
    paths["/metrics"] = {"get": {"summary": "Counts and times", "responses": metrics}}
    document: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": "edge-rerank",
            "version": __version__,
            "description": "A cross-encoder on a CPU, behind the routes of hosted rerankers.",
        },
        "paths": paths,
        "components": {"schemas": {**request_schemas(settings.limits), **answer_schemas()}},
    }
    if settings.keys:
        bearer = {"type": "http", "scheme": "bearer"}
        document["components"]["securitySchemes"] = {"key": bearer}
        for path, operations in paths.items():
            if path not in ("/health", "/ping", "/metrics"):
                for operation in operations.values():
                    operation["security"] = [{"key": []}]
                    operation["responses"]["401"] = _json("AnyError", "No valid key")
    return document


def _post(summary: str, request: str, answer: str, error: str) -> Schema:
    causes = {
        "400": "The request is not usable",
        "408": "The body did not arrive in time",
        "413": "The body is too large",
        "415": "The body is not plain JSON",
        "422": "The request is not usable, in the shape of text-embeddings-inference",
        "424": "The model failed",
        "429": "Too many requests are waiting; Retry-After says when to come back",
        "503": "The server is stopping, or the request's time was over",
    }
    return {
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref(request)}},
        },
        "responses": {
            "200": _json(answer, "The scores"),
            **{status: _json(error, cause) for status, cause in causes.items()},
        },
    }


def _get(summary: str, name: str) -> Schema:
    responses = {"200": _json(name, summary), "503": _json("AnyError", "Not now")}
    return {"summary": summary, "responses": responses}


def _json(name: str, description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": _ref(name)}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
