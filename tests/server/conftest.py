"""Servers that tests share, and the direct calls that they are compared with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_rerank import Reranker
from tests.server.running import Running, serving

QUERY = "how do plants eat?"
DOCUMENTS = [
    "Steel bridges carry trains over rivers.",
    "Photosynthesis turns light, water and carbon dioxide into sugar.",
    "Plants take up minerals through their roots.",
    "Steel bridges carry trains over rivers.",
    "",
]


@pytest.fixture(scope="session", autouse=True)
def _needs_its_libraries() -> None:
    for name in ("starlette", "uvicorn"):
        pytest.importorskip(name, reason="the extra `server` is not installed")


@pytest.fixture(scope="session")
def server() -> Iterator[Running]:
    with serving() as running:
        yield running


@pytest.fixture(scope="session")
def direct() -> Iterator[Reranker]:
    with Reranker.load() as reranker:
        yield reranker
