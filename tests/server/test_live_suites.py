"""Haystack's own live tests of its rankers, from its source distributions, against this server."""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.server.running import serving
from tests.server.test_clients import first

__all__ = ["first"]

pytestmark = pytest.mark.slow

# The tests of hosted services have no address to set, others have fixed ones that may be taken:
# their requests are sent here, unchanged.
REDIRECT = """
import httpx, os
PLACE = httpx.URL(os.environ["RERANK_SERVER"])
def here(request):
    if request.url.host in ("api.cohere.com", "api.jina.ai", "localhost"):
        request.url = request.url.copy_with(scheme=PLACE.scheme, host=PLACE.host, port=PLACE.port)
        request.headers["host"] = f"{PLACE.host}:{PLACE.port}"
for kind, name in ((httpx.HTTPTransport, "handle_request"),
                   (httpx.AsyncHTTPTransport, "handle_async_request")):
    def patch(original):
        def send(self, request):
            here(request)
            return original(self, request)
        return send
    setattr(kind, name, patch(getattr(kind, name)))
"""
SUITES = {
    # gRPC (the parameter True) is not HTTP.
    "huggingface-api-haystack==3.1.0": ("live_run and not True", 2),
    "vllm-haystack==3.0.1": ("live_run", 2),
    "cohere-haystack==11.0.0": ("live_run", 3),
    "jina-haystack==2.0.1": ("integration", 2),
}


@pytest.mark.parametrize("requirement", SUITES)
def test_live_suite(tmp_path: Path, first: Path, requirement: str) -> None:
    chosen, least = SUITES[requirement]
    pip = [str(first), "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    done = subprocess.run(
        [*pip, requirement], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"{requirement} is not to be had here: {done.stderr[-300:]}")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (tmp_path / "redirect.py").write_text(REDIRECT, "utf-8")
    (suite,) = tmp_path.glob("*/tests/test_ranker.py")
    with serving() as server:
        names = ("COHERE_API_KEY", "CO_API_KEY", "JINA_API_KEY")
        given = {**dict.fromkeys(names, "a-key-of-mine"), "RERANK_SERVER": server.address}
        options = ["-p", "redirect", "-m", "integration", "-k", chosen, "-q"]
        ran = subprocess.run(
            [str(first), "-m", "pytest", str(suite), *options],
            env={**os.environ, **given, "PYTHONPATH": str(tmp_path)},
            cwd=suite.parents[1], capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        passed = re.search(r"(\d+) passed", ran.stdout)
        assert ran.returncode == 0, ran.stdout[-3000:]
        assert passed is not None
        assert int(passed[1]) >= least
        assert "skipped" not in ran.stdout
        lines = [line for line in server.lines() if line["event"] == "request"]
        assert [line["status"] for line in lines] == [200] * len(lines)
        assert len(lines) >= least
