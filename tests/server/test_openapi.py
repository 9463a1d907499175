"""Our own OpenAPI document, and thousands of requests made from it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from edge_rerank.server.settings import Limits
from tests.server.running import Running, serving
from tests.support.clients import environment


def test_the_document_has_the_bounds_of_the_server(server: Running) -> None:
    document = server.get("/openapi.json").json
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    by_documents, by_texts = schemas["RankRequest"]["anyOf"]
    limits = Limits()
    assert by_texts["properties"]["texts"]["maxItems"] == limits.documents
    assert by_texts["properties"]["texts"]["minItems"] == 1
    assert by_documents["properties"]["query"]["maxLength"] == limits.query_characters
    assert set(document["paths"]) >= {"/rerank", "/v2/rerank", "/score", "/predict", "/info"}


def test_bounds_are_the_ones_that_were_asked_for() -> None:
    with serving("--max-documents", "3", "--max-query", "10", "--max-document", "20") as server:
        by_texts = server.get("/openapi.json").json["components"]["schemas"]["RankRequest"][
            "anyOf"
        ][1]
        assert by_texts["properties"]["texts"]["maxItems"] == 3
        assert server.get("/info").json["max_client_batch_size"] == 3
        fine = {"query": "q" * 10, "texts": ["a" * 20] * 3}
        assert server.post("/rerank", fine).status == 200
        for name, value in (("query", "q" * 11), ("texts", ["a"] * 4), ("texts", ["a" * 21])):
            assert server.post("/rerank", {**fine, name: value}).status == 422


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    python = environment("schemathesis>=4.32,<5")
    # Small bounds, so that it goes to them and beyond in every request, and not to megabytes.
    bounds = ("--max-documents", "20", "--max-query", "200", "--max-document", "300")
    with serving(*bounds, "--max-body-mb", "0.1", "--no-log") as server:
        done = subprocess.run(
            [
                str(python.with_name("schemathesis")), "run", f"{server.address}/openapi.json",
                "--checks", "all", "--max-examples", "100", "--seed", "1", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        summary = done.stdout[-3000:]
        assert done.returncode == 0, re.sub(r"(.{300}).*", r"\1", done.stdout)[:20_000]
        assert re.search(r"\d+ generated", summary) or "passed" in summary
        assert server.get("/health").status == 200
