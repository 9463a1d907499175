"""The hub road, with the real huggingface_hub, against a stand-in hub on loopback."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker
from tests.export.conftest import Make
from tests.support.hub import Hub, running

NAME = "someone/tiny-reranker"
CHUNK = 10 * 1024 * 1024
"""What the library writes at a time: a connection that breaks loses no more than this."""
FETCH = """
import json, sys
from edge_rerank_export.errors import ExportError
from edge_rerank_export.source import fetch_checkpoint
try:
    found = fetch_checkpoint(sys.argv[1], revision=sys.argv[2] or None)
    print(json.dumps({"name": found.name, "revision": found.revision, "folder": str(found.folder)}))
except ExportError as error:
    print(json.dumps({"error": str(error)}))
"""


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running() as hub:
        yield hub


class Client:
    """Runs what a user runs, in a process of its own: the library reads its settings once."""

    def __init__(self, hub: Hub, home: Path) -> None:
        self.hub, self.home = hub, home

    def run(self, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("HF_")
        }
        environment |= {"HF_ENDPOINT": self.hub.url, "HF_HOME": str(self.home), **settings}
        folder = self.home / "here"
        folder.mkdir(parents=True, exist_ok=True)
        return subprocess.run(
            [sys.executable, *command],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=300,
        )  # fmt: skip

    def fetch(self, name: str, revision: str = "", **settings: str) -> dict[str, Any]:
        done = self.run("-c", FETCH, name, revision, **settings)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


@pytest.fixture
def client(hub: Hub, tmp_path: Path) -> Client:
    return Client(hub, tmp_path / "home")


@pytest.mark.parametrize(
    ("weights", "files"),
    [
        ({"dtype": "float16"}, 1),
        ({"dtype": "float16", "max_shard_size": "40KB"}, 4),
    ],
)
def test_export_by_name(
    weights: dict[str, Any], files: int, hub: Hub, client: Client, make_checkpoint: Make,
    tmp_path: Path,
) -> None:  # fmt: skip
    """The command itself: what is recorded, what is downloaded, and again without a network."""
    folder = make_checkpoint(**weights)
    (folder / "pytorch_model.bin").write_bytes(b"may run code")
    (folder / "training_args.bin").write_bytes(b"may run code")
    commit = hub.add(NAME, folder)
    output = tmp_path / "model"
    command = ["-m", "edge_rerank", "export", NAME, "--precision", "fp32", "--output"]
    done = client.run(*command, str(output))
    assert done.returncode == 0, done.stderr
    with Reranker.load(output) as reranker:
        manifest = reranker.artifact.manifest
    assert (manifest.name, manifest.source.model) == ("tiny-reranker", NAME)
    assert manifest.source.revision == commit
    downloaded = {path for _, path, _ in hub.asked if "/resolve/" in path}
    assert sum(path.endswith(".safetensors") for path in downloaded) >= files
    assert not any(path.endswith(".bin") for path in downloaded)
    asked = len(hub.asked)
    again = client.run(*command, str(tmp_path / "again"), HF_HUB_OFFLINE="1")
    assert again.returncode == 0, again.stderr
    assert len(hub.asked) == asked, "offline is offline"
    both = [
        json.loads((folder / "manifest.json").read_text())
        for folder in (output, tmp_path / "again")
    ]
    assert both[0]["source"] == both[1]["source"]
    assert both[0]["files"]["model.safetensors"] == both[1]["files"]["model.safetensors"]


def test_a_connection_that_breaks_goes_on_where_it_ended(
    hub: Hub, client: Client, make_checkpoint: Make
) -> None:
    folder = make_checkpoint({"vocab_size": 60_000})
    hub.add(NAME, folder)
    hub.break_after, hub.breaks = CHUNK + 500_000, 1
    found = client.fetch(NAME)
    assert "error" not in found
    assert hub.breaks == 0
    got = Path(found["folder"]) / "model.safetensors"
    assert got.read_bytes() == (folder / "model.safetensors").read_bytes()
    ranges = [wanted for _, path, wanted in hub.asked if path.endswith("model.safetensors")]
    assert ranges[-1] == f"bytes={CHUNK}-"


def test_a_connection_that_keeps_breaking_goes_on_with_the_next_command(
    hub: Hub, client: Client, make_checkpoint: Make
) -> None:
    hub.add(NAME, make_checkpoint())
    hub.break_after, hub.breaks = 1_000, 10_000
    found = client.fetch(NAME)
    assert "cannot be reached" in found["error"]
    assert "Run the same command again, which goes on where this one ended" in found["error"]
    hub.breaks = 0
    assert "error" not in client.fetch(NAME)


def test_the_pinned_commit_is_taken(hub: Hub, client: Client, make_checkpoint: Make) -> None:
    from edge_rerank_export.source import PINNED_REVISIONS

    name, commit = next(iter(PINNED_REVISIONS.items()))
    head = hub.add(name, make_checkpoint())
    assert f"has no revision '{commit}'" in client.fetch(name)["error"]
    assert client.fetch(name, "main")["revision"] == head
    hub.commits[name] = commit
    assert client.fetch(name)["revision"] == commit


def test_each_refusal_says_what_to_do(hub: Hub, client: Client, make_checkpoint: Make) -> None:
    commit = hub.add(NAME, make_checkpoint())
    error = client.fetch("someone/else")["error"]
    assert "there is no folder of this name here, and no such model on http://127" in error
    assert "log in with hf auth login, or set HF_TOKEN" in error
    error = client.fetch(NAME, "v9")["error"]
    assert "has no revision 'v9'; name a commit, tag or branch" in error
    hub.gated.add(NAME)
    error = client.fetch(NAME)["error"]
    assert "grants access on request: ask for it at http://127" in error
    assert client.fetch(NAME, HF_TOKEN="hf_token") == {
        "name": NAME, "revision": commit, "folder": str(client.home / "hub" /
        "models--someone--tiny-reranker" / "snapshots" / commit),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "refuses access (HTTP 401): the token in HF_TOKEN"),
        (403, "refuses access (HTTP 403): the token in HF_TOKEN"),
        (404, "no such model on http://127"),
        (429, "too many requests from here (HTTP 429); wait some minutes"),
        (500, "fails (HTTP 500"),
        (503, "fails (HTTP 503"),
    ],
)
@pytest.mark.parametrize("revision", ["", "0" * 40])
def test_every_status_says_what_to_do(
    status: int, message: str, revision: str, hub: Hub, client: Client
) -> None:
    hub.status = status
    error = client.fetch(NAME, revision)["error"]
    assert error.startswith(f"{NAME}: ")
    assert message in error or (status == 401 and "no such model" in error)
    assert "\n" not in error


@pytest.fixture
def nowhere() -> Iterator[dict[str, str]]:
    """Return settings with a port that is taken, but that nobody listens at."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield {"HF_ENDPOINT": f"http://127.0.0.1:{taken.getsockname()[1]}"}


def test_without_a_network(
    hub: Hub, client: Client, nowhere: dict[str, str], make_checkpoint: Make
) -> None:
    commit = hub.add(NAME, make_checkpoint())
    error = client.fetch(NAME, **nowhere)["error"]
    assert f"{nowhere['HF_ENDPOINT']} cannot be reached" in error
    assert "copy the checkpoint's folder here and give its path" in error
    offline = client.fetch(NAME, HF_HUB_OFFLINE="1")["error"]
    assert "HF_HUB_OFFLINE is set, and the hub's cache" in offline
    client.fetch(NAME)
    assert client.fetch(NAME, HF_HUB_OFFLINE="1")["revision"] == commit
    assert client.fetch(NAME, commit, HF_HUB_OFFLINE="1")["revision"] == commit
    assert client.fetch(NAME, commit, **nowhere)["revision"] == commit
    assert "HF_HUB_OFFLINE=1 to use what the cache holds" in client.fetch(NAME, **nowhere)["error"]
    other = client.fetch(NAME, "0" * 40, HF_HUB_OFFLINE="1")["error"]
    assert f"does not hold its commit {'0' * 40}, only {commit} (choose one" in other


def test_a_cache_that_holds_a_part(hub: Hub, client: Client, make_checkpoint: Make) -> None:
    hub.add(NAME, make_checkpoint())
    folder = Path(client.fetch(NAME)["folder"])
    (folder / "model.safetensors").unlink()
    error = client.fetch(NAME, HF_HUB_OFFLINE="1")["error"]
    assert "no weights to export" in error
    assert "The hub's cache may hold the model in part" in error
    assert "error" not in client.fetch(NAME)


def test_a_folder_of_the_cache_keeps_name_and_commit(
    hub: Hub, client: Client, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export.source import fetch_checkpoint

    commit = hub.add(NAME, make_checkpoint())
    folder = Path(client.fetch(NAME)["folder"])
    assert (folder / "model.safetensors").is_symlink()
    (tmp_path / "link").symlink_to(folder)
    for path in (folder, tmp_path / "link", Path(f"{folder}/")):
        found = fetch_checkpoint(str(path))
        assert (found.name, found.revision) == (NAME, commit)
