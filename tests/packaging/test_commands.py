"""The commands of a normal installation, run elsewhere, without a home that can be written to."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.packaging.conftest import Install
from tests.support.checkpoints import write_tiny_checkpoint
from tests.support.made_collection import write_collection

pytestmark = pytest.mark.build
QUERY = "list files sorted by size"
TEXTS = ("rm -r removes a directory and all that is in it.", "ls -S prints the largest first.")
# /proc takes no new file, not even from root; a container's user often has no home at all.
HOMES = {"read-only": "/proc", "missing": "/nonexistent", "unset": None}


@pytest.fixture(params=HOMES)
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    home = HOMES[request.param]
    found = {name: value for name, value in os.environ.items() if name != "HOME"}
    return found if home is None else {**found, "HOME": home}


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_commands_run(
    install: Install, kind: str, variables: dict[str, str], tmp_path: Path
) -> None:
    environment = install(kind)

    def command(*words: str) -> str:
        done = environment.run("edge-rerank", *words, folder=tmp_path, variables=variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "ls -S" in command("rank", QUERY, *TEXTS).splitlines()[1]
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps({"query": QUERY, "document": text}) + "\n" for text in TEXTS), "utf-8"
    )
    command("score", "--input", "pairs.jsonl", "--output", "scored.jsonl")
    assert len((tmp_path / "scored.jsonl").read_text("utf-8").splitlines()) == 2
    for engine in ("native", "onnxruntime"):
        assert engine in command("info", "--engine", engine)
        assert "ok" in command("verify", "--engine", engine)
    command("bench", "--seconds", "1")
    write_collection(tmp_path / "scifact")
    assert "nDCG@10" in command("compare", "--collection", "scifact", "--plot", "choice.svg")


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_the_exporter_runs(
    install: Install, kind: str, variables: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    environment = install(kind)
    write_tiny_checkpoint(tmp_path / "checkpoint")
    exported = environment.run(
        "edge-rerank", "export", "checkpoint", "--output", "model", "--allow-poor-parity",
        folder=tmp_path, variables=variables,
    )  # fmt: skip
    assert exported.returncode == 0, exported.stderr
    verified = environment.run("edge-rerank", "verify", "model", folder=tmp_path)
    assert verified.returncode == 0, verified.stderr
