"""Our own OpenAPI document, and thousands of requests made from it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

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


BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "RankRequest/0": ("/rerank", {"query": "q", "documents": ["a"]}),
    "RankRequest/1": ("/rerank", {"query": "q", "texts": ["a"]}),
    "ScoreRequest": ("/score", {"queries": "q", "documents": "a"}),
    "PredictRequest": ("/predict", {"inputs": ["q", "a"]}),
}
FLAGS: list[Any] = [True, False, None, "true", "false", "True", "False"]
NO_FLAGS: list[Any] = [0, 1, -1.6e80, "TRUE", "yes", "", [], {}]
NO_WORDS: list[Any] = ["LEFT", "Truncate", "", 1, True, [None]]


def properties(server: Running, name: str) -> dict[str, Any]:
    schema, _, place = name.partition("/")
    found = server.get("/openapi.json").json["components"]["schemas"][schema]
    fields: dict[str, Any] = (found["anyOf"][int(place)] if place else found)["properties"]
    return fields


@pytest.mark.parametrize("name", BODIES)
def test_flags_and_words_are_read_as_described_whatever_else_is_asked(
    server: Running, name: str
) -> None:
    path, body = BODIES[name]
    fields = properties(server, name)
    flags = [one for one, schema in fields.items() if "true" in str(schema)]
    words = {one: schema["enum"] for one, schema in fields.items() if "enum" in schema}
    assert flags
    for flag in flags:
        for value in FLAGS:
            assert server.post(path, {**body, flag: value}).status == 200, (flag, value)
        for value in NO_FLAGS:
            for others in (True, False):  # one flag may decide what another would
                wrong = {**body, **dict.fromkeys(flags, others), flag: value}
                assert server.post(path, wrong).status in (400, 422), (flag, value)
    for word, options in words.items():
        for value in options:
            assert server.post(path, {**body, word: value}).status == 200, (word, value)
        for value in NO_WORDS:
            assert server.post(path, {**body, word: value}).status in (400, 422), (word, value)


@pytest.mark.parametrize(
    "wrong", [{"threshold": "0.1"}, {"max_spans": -1}, {"threshold": True}, {"max_spans": 1.5}]
)
def test_spans_that_are_off_are_read_as_well(server: Running, wrong: dict[str, Any]) -> None:
    body = {"query": "q", "documents": ["a"], "relevant_spans": {"mode": "disabled", **wrong}}
    assert server.post("/rerank", body).status == 400


@pytest.mark.slow
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    python = environment("schemathesis>=4.32,<5")
    # Small bounds, so that it goes to them and beyond in every request, and not to megabytes; and
    # any text fits whole, since no schema can say which texts do not.
    bounds = ("--max-documents", "20", "--max-query", "100", "--max-document", "150")
    with serving(*bounds, "--max-body-mb", "1", "--no-log") as server:
        done = subprocess.run(
            [
                str(python.with_name("schemathesis")), "run", f"{server.address}/openapi.json",
                "--checks", "all", "--max-examples", "60", "--seed", "1", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        summary = done.stdout[-3000:]
        assert done.returncode == 0, re.sub(r"(.{300}).*", r"\1", done.stdout)[:20_000]
        assert re.search(r"\d+ generated", summary) or "passed" in summary
        assert server.get("/health").status == 200
