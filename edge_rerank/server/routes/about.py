"""The routes that say what is served, and how it is."""

from __future__ import annotations

import time
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from edge_rerank._version import __version__
from edge_rerank.errors import EdgeRerankError
from edge_rerank.server.errors import ModelFailedError, StoppingError
from edge_rerank.server.memory import resident_bytes
from edge_rerank.server.metrics import MEDIA_TYPE
from edge_rerank.server.routes.answers import error_response, json_response
from edge_rerank.server.service import Service
from edge_rerank.server.shapes import either, predict


class About:
    """The functions of these routes."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._created = int(time.time())

    async def health(self, request: Request) -> Response:
        """Answer 200, or 503 while the server stops."""
        if not self._service.admission.stopping:
            return json_response({"status": "ok"})
        error = StoppingError("the server is stopping")
        return error_response(error, either.error(error, request.scope["edge_rerank"].request_id))

    async def info(self, request: Request) -> Response:
        """Describe the first model as text-embeddings-inference does, which Dify reads."""
        service, limits = self._service, self._service.settings.limits
        name = service.models.choose(request.query_params.get("model"))
        try:
            facts = await service.models.facts(name)
        except (EdgeRerankError, OSError) as error:
            service.log.trouble("model failed", error, model=name)
            failed = ModelFailedError("the model cannot be loaded; the server's log says why")
            written = either.error(failed, request.scope["edge_rerank"].request_id)
            return error_response(failed, written)
        labels = {"id2label": {"0": predict.LABEL}, "label2id": {predict.LABEL: 0}}
        return json_response(
            {
                "model_id": name,
                "model_sha": facts.checkpoint,
                "model_dtype": facts.precision,
                "served_model_name": name,
                "model_type": {"reranker": labels},
                "max_concurrent_requests": limits.waiting,
                "max_input_length": facts.max_length,
                "max_batch_tokens": facts.max_length * limits.documents,
                "max_batch_requests": None,
                "max_client_batch_size": limits.documents,
                "auto_truncate": True,
                "tokenization_workers": 1,
                "version": __version__,
                "sha": None,
                "docker_label": None,
                "engine": facts.engine.engine,
                "threads": facts.engine.threads,
            }
        )

    async def models(self, request: Request) -> Response:
        """List the models, as OpenAI's servers do."""
        data: list[dict[str, Any]] = [
            {"id": name, "object": "model", "created": self._created, "owned_by": "edge-rerank"}
            for name in self._service.models.names
        ]
        return json_response({"object": "list", "data": data})

    async def metrics(self, request: Request) -> Response:
        """Return all metrics."""
        service = self._service
        gauges = {
            "te_queue_size": service.scheduler.waiting(),
            "edge_rerank_requests_held": service.admission.requests,
            "edge_rerank_request_bytes_held": service.admission.bytes,
            "edge_rerank_models_loaded": service.models.loaded,
            "process_resident_memory_bytes": resident_bytes(),
        }
        return Response(service.metrics.render(gauges), media_type=MEDIA_TYPE)
