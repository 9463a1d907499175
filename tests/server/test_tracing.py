"""Spans, for a user who has OpenTelemetry and has set it up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.server.running import serving
from tests.support.clients import environment

SETUP = """
import os
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor
out = open(os.environ["SPANS"], "w", encoding="utf-8")
exporter = ConsoleSpanExporter(out=out, formatter=lambda span: span.to_json(indent=None) + "\\n")
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""


@pytest.mark.slow
def test_each_request_is_a_span_of_its_callers(tmp_path: Path) -> None:
    python = environment("opentelemetry-sdk>=1.30,<2")
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    (tmp_path / "sitecustomize.py").write_text(SETUP, "utf-8")
    spans = tmp_path / "spans"
    variables = {"PYTHONPATH": f"{tmp_path}:{packages}", "SPANS": str(spans)}
    with serving(environment=variables) as server:
        parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        body = {"query": "marmalade", "documents": ["a", "b"]}
        assert server.post("/v1/rerank", body, {"traceparent": parent}).status == 200
        assert server.post("/v1/rerank", b"{").status == 400
    text = spans.read_text("utf-8")
    good, bad = (json.loads(line) for line in text.splitlines())
    assert good["name"] == "POST /v1/rerank"
    assert good["context"]["trace_id"] == "0x0af7651916cd43dd8448eb211c80319c"
    assert good["parent_id"] == "0xb7ad6b7169203331"
    assert good["attributes"]["edge_rerank.documents"] == 2
    assert good["attributes"]["edge_rerank.tokens"] > 4
    assert bad["attributes"]["http.response.status_code"] == 400
    assert "marmalade" not in text
