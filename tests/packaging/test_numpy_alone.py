"""An installation with numpy and nothing else: all but ONNX Runtime's engine works."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.environments import Environment, fresh_environment, link_distributions

pytestmark = pytest.mark.build
PAIRS = "".join(
    json.dumps({"query": "list files", "document": text}) + "\n"
    for text in ("rm removes a file.", "ls prints the files of a folder.")
)
_ABSENT = "import importlib.util as u; print([n for n in ('{}', '{}') if u.find_spec(n)])"


def installed(wheel: Path, folder: Path, *libraries: str) -> Environment:
    (folder / "libraries").mkdir()
    environment = fresh_environment(
        folder / "venv", [str(link_distributions(folder / "libraries", *libraries))]
    )
    done = environment.install(str(wheel))
    assert done.returncode == 0, done.stderr
    names = _ABSENT.format("onnxruntime", "tokenizers")
    assert environment.run("python", "-I", "-c", names, folder=folder).stdout == "[]\n"
    return environment


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return installed(wheel, tmp_path_factory.mktemp("numpy"), "numpy")


def test_ranking_scoring_and_verifying(environment: Environment, tmp_path: Path) -> None:
    def run(*words: str, given: str = "") -> str:
        done = environment.run("edge-rerank", *words, folder=tmp_path, variables={}, given=given)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout

    lines = run("rank", "--json", "list files", "rm removes.", "ls prints files.").splitlines()
    assert [json.loads(line)["index"] for line in lines] == [1, 0]
    scored = [json.loads(line) for line in run("score", given=PAIRS).splitlines()]
    assert scored[1]["score"] > scored[0]["score"]
    assert "holds: " in run("verify")
    assert "native" in run("info")
    assert "edge-rerank" in run("--version")


def test_what_needs_onnx_runtime_says_so(environment: Environment, tmp_path: Path) -> None:
    words = ("rank", "--engine", "onnxruntime", "a", "b")
    done = environment.run("edge-rerank", *words, folder=tmp_path, variables={})
    assert done.returncode != 0
    assert "onnxruntime" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_needs_the_tokenizers_library_says_so(
    environment: Environment, tmp_path: Path
) -> None:
    variables = {"EDGE_RERANK_TOKENIZER": "tokenizers"}
    done = environment.run("edge-rerank", "rank", "a", "b", folder=tmp_path, variables=variables)
    assert done.returncode != 0
    assert "tokenizers" in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def served(environment: Environment, folder: Path) -> Iterator[str]:
    command = [str(environment.command("edge-rerank")), "serve", "--port", "0"]
    with subprocess.Popen(
        command, cwd=folder, env={}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            line = next((line for line in process.stderr if "http://" in line), "")
            assert line, "it ended without a word of its address"
            yield "http://" + line.split("http://")[1].split()[0].rstrip("/,.;")
        finally:
            process.terminate()


def test_serving_needs_its_own_libraries_alone(wheel: Path, tmp_path: Path) -> None:
    environment = installed(wheel, tmp_path, "numpy", "starlette", "uvicorn")
    with served(environment, tmp_path) as address:
        body = json.dumps({"query": "list files", "documents": ["rm removes.", "ls prints files."]})
        request = urllib.request.Request(
            f"{address}/v1/rerank", body.encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            found = json.load(answer)
    assert [hit["index"] for hit in found["results"]] == [1, 0]
