"""Never a network call: what every command asks of the system, with both engines, for a minute."""

from __future__ import annotations

import sys

import pytest

from edge_rerank.engines.onnx.runtime import import_onnxruntime
from tests.native.conftest import missing
from tests.support.checkpoints import write_tiny_checkpoint
from tests.support.documents import write_inputs
from tests.support.watching import Seen, Watched, why_not

pytestmark = pytest.mark.slow
SECONDS = 60
QUERY, TEXTS = "how do plants eat", ("Leaves turn light into sugar.", "Steel bridges rust.")
COMMANDS: dict[str, tuple[str, ...]] = {
    "rank": ("rank", QUERY, *TEXTS),
    "score": ("score", "--input", "pairs.jsonl", "--output", "scored.jsonl"),
    "info": ("info",),
    "verify": ("verify",),
    "bench": ("bench", "--seconds", "1"),
    "compare": ("compare", "--collection", "scifact"),
}
RUNS = {
    f"{name} {engine}": (*words, "--engine", engine)
    for name, words in COMMANDS.items()
    for engine in ("native", "onnxruntime")
}
# What a command must not mind: a home that takes no file, not even from root, and none at all.
HOMES = {"read-only": "/proc", "missing": "/nonexistent"}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Seen]:
    """Run all side by side: they wait most of the time."""
    reason = why_not()
    if reason is not None:
        missing(reason)
    running = {}

    def start(name: str, *words: str, **variables: str) -> None:
        folder = tmp_path_factory.mktemp("run")
        write_inputs(folder)
        running[name] = Watched(folder, words, seconds=SECONDS, **variables)

    for name, words in RUNS.items():
        start(name, *words)
    for name, home in HOMES.items():
        start(name, *RUNS["rank onnxruntime"], HOME=home)
    start("telemetry allowed", *RUNS["rank onnxruntime"], ORT_DISABLE_TELEMETRY="0")
    if has_exporter():
        checkpoint = write_tiny_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny")
        start("export", "export", str(checkpoint), "--output", "model", "--allow-poor-parity")
    return {name: watched.end() for name, watched in running.items()}


def has_exporter() -> bool:
    from importlib.util import find_spec

    return find_spec("torch") is not None and find_spec("optimum") is not None


@pytest.mark.parametrize("name", [*RUNS, *HOMES, "export"])
def test_no_host_is_turned_to(seen: dict[str, Seen], name: str) -> None:
    if name not in seen:
        pytest.skip("the exporter is not installed")
    assert seen[name].code == 0, seen[name].err
    assert not seen[name].outward


@pytest.mark.parametrize("name", [*RUNS, "export"])
def test_nothing_is_left_in_the_home(seen: dict[str, Seen], name: str) -> None:
    if name not in seen:
        pytest.skip("the exporter is not installed")
    assert not seen[name].left


@pytest.mark.parametrize("name", HOMES)
def test_no_home_is_no_reason_to_complain(seen: dict[str, Seen], name: str) -> None:
    assert seen[name].err == ""


def test_the_watch_sees_a_call(seen: dict[str, Seen]) -> None:
    release = str(import_onnxruntime("a test").__version__).split(".")
    if sys.platform != "linux" or tuple(map(int, release[:2])) < (1, 29):
        pytest.skip("this onnxruntime does not call home")
    assert seen["telemetry allowed"].code == 0
    assert seen["telemetry allowed"].outward
    assert seen["telemetry allowed"].left
