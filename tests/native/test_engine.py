"""The native engine behind the seam: the same contract and words as ONNX Runtime's."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_rerank import ArtifactError, ClosedError, EngineError, InputError
from edge_rerank.artifact.folder import Artifact
from edge_rerank.engines.native import NativeEngine
from edge_rerank.engines.onnx.engine import OnnxEngine
from edge_rerank.engines.protocol import Engine
from edge_rerank.native_library import Library, UnavailableError
from edge_rerank.pairs import TokenizedBatch
from tests.support.batches import Row, batch_of, random_rows
from tests.support.tasks import FOLDER, left_of, tasks

MAX_LENGTH = 128
Start = Callable[..., NativeEngine]


@pytest.fixture
def start(library: Library, builtin: Artifact) -> Iterator[Start]:
    """Return a function that opens the built-in model; all are closed in the end."""
    opened: list[NativeEngine] = []

    def act(artifact: Artifact = builtin, *, threads: int = 1, kernel: Any = None) -> Engine:
        engine = NativeEngine(
            artifact, threads=threads, max_length=MAX_LENGTH, kernel=kernel, why="a test"
        )
        opened.append(engine)
        return engine

    yield act  # type: ignore[misc]
    for engine in opened:
        engine.close()


def random_pairs(count: int, seed: int, artifact: Artifact) -> TokenizedBatch:
    lengths = np.random.default_rng(seed).integers(1, MAX_LENGTH + 1, count)
    high = artifact.manifest.architecture.vocab_size
    return batch_of(random_rows(lengths.tolist(), seed, high))


def bits(logits: NDArray[np.float32]) -> list[int]:
    return [int(logit) for logit in logits.view(np.uint32)]


def test_logits_are_near_onnx_runtime_s(start: Start, builtin: Artifact) -> None:
    pairs = random_pairs(60, 1, builtin)
    theirs = OnnxEngine(builtin, threads=1, max_length=MAX_LENGTH, why="a test")
    expected = theirs.logits(pairs)
    theirs.close()
    found = start().logits(pairs)
    assert found.dtype == np.float32
    assert found.shape == (60,)
    error = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    assert error < 0.15  # both are int8, each rounds in its own way; ids are random


def test_the_same_bits_in_any_company_order_and_number_of_threads(
    start: Start, builtin: Artifact
) -> None:
    pairs = random_pairs(80, 2, builtin)
    one, two = start(), start(threads=2)
    together = bits(one.logits(pairs))
    places = list(range(80))
    assert bits(one.logits(pairs.take(places[::-1]))) == together[::-1]
    alone = [bits(one.logits(pairs.part(place, place + 1))) for place in places[:20]]
    assert [bit for (bit,) in alone] == together[:20]
    assert bits(two.logits(pairs)) == together
    assert bits(two.logits(pairs.take(places * 3))) == together * 3


def test_the_same_bits_with_every_kernel(start: Start, library: Library, builtin: Artifact) -> None:
    pairs = random_pairs(12, 3, builtin)
    found = {kernel: bits(start(kernel=kernel).logits(pairs)) for kernel in library.kernels}
    assert list(found)[-1] == "scalar"
    assert len({tuple(logit_bits) for logit_bits in found.values()}) == 1


def test_what_it_gave_is_not_written_over(start: Start, builtin: Artifact) -> None:
    engine = start()
    first = engine.logits(random_pairs(5, 1, builtin))
    kept = first.copy()
    engine.logits(random_pairs(50, 2, builtin))
    np.testing.assert_array_equal(first, kept)


def test_nothing_in_nothing_out(start: Start) -> None:
    empty = start().logits(batch_of([]))
    assert empty.shape == (0,)
    assert empty.dtype == np.float32


@pytest.mark.parametrize("ids", [(), (1,) * (MAX_LENGTH + 1), (1, -1), (1, 2**31 - 1)])
def test_bad_ids_are_refused_in_the_same_words(
    start: Start, builtin: Artifact, ids: tuple[int, ...]
) -> None:
    engine = start()
    theirs = OnnxEngine(builtin, threads=1, max_length=MAX_LENGTH, why="a test")
    pairs = batch_of([Row((1, 2)), Row(ids)])
    said = []
    for one in (engine, theirs):
        with pytest.raises(InputError, match="pair 1 has ") as raised:
            one.logits(pairs)
        said.append(str(raised.value))
    theirs.close()
    assert said[0] == said[1]
    assert engine.logits(pairs.part(0, 1)).shape == (1,)


def test_closed_is_closed(start: Start) -> None:
    engine = start()
    engine.close()
    engine.close()
    for use in (lambda: engine.logits(batch_of([])), engine.describe):
        with pytest.raises(ClosedError):
            use()


def test_closing_under_load_waits_for_what_runs(start: Start, builtin: Artifact) -> None:
    engine, pairs = start(threads=2), random_pairs(30, 4, builtin)
    expected, results = bits(engine.logits(pairs)), []
    running = threading.Barrier(5)

    def work() -> None:
        running.wait(timeout=30)
        with contextlib.suppress(ClosedError):
            while True:
                results.append(bits(engine.logits(pairs)) == expected)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    running.wait(timeout=30)
    engine.close()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert all(results)


def test_several_threads_get_their_own_answers(start: Start, builtin: Artifact) -> None:
    engine = start(threads=2)
    jobs = [random_pairs(9, seed, builtin) for seed in range(12)]
    in_turn = [bits(engine.logits(job)) for job in jobs]
    with ThreadPoolExecutor(6) as pool:
        assert [bits(logits) for logits in pool.map(engine.logits, jobs)] == in_turn


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_is_refused_and_can_end(start: Start, builtin: Artifact) -> None:
    engine, pairs = start(threads=2), random_pairs(3, 1, builtin)
    before = bits(engine.logits(pairs))
    child = os.fork()
    if child == 0:
        try:
            engine.logits(pairs)
        except EngineError as error:
            engine.close()  # must not wait for threads that are not there
            os._exit(0 if "forked from it" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bits(engine.logits(pairs)) == before


def test_threads_end_with_the_engine(library: Library, builtin: Artifact) -> None:
    if not os.path.isdir(FOLDER):
        pytest.skip("the system has no /proc")
    before = tasks()
    engine = NativeEngine(builtin, threads=2, max_length=MAX_LENGTH, why="a test")
    started = tasks() - before
    assert started
    engine.close()
    assert not left_of(started)
    before = tasks()
    dropped = NativeEngine(builtin, threads=2, max_length=MAX_LENGTH, why="a test")
    started = tasks() - before
    assert started
    del dropped  # without a close
    assert not left_of(started)


def test_describe(start: Start, library: Library) -> None:
    engine = start(threads=2)
    info = engine.describe()
    assert (info.engine, info.version, info.threads) == ("native", library.version, 2)
    assert info.kernel == library.kernels[0]
    assert info.kernel_why == "the fastest one for this CPU"
    assert info.why == "a test"
    assert info.max_length == MAX_LENGTH
    assert info.memory is not None
    assert info.timings is not None
    assert info.memory.weights_bytes > 1_000_000
    engine.logits(batch_of([Row((1, 5, 2))] * 50))
    seconds = engine.describe().timings
    assert seconds is not None
    assert seconds.products > info.timings.products


def test_kernels_can_be_chosen(
    start: Start, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_RERANK_KERNEL", "scalar")
    details = start().describe()
    assert (details.kernel, details.kernel_why) == ("scalar", "EDGE_RERANK_KERNEL is set")
    asked = start(kernel=library.kernels[0]).describe()
    assert (asked.kernel, asked.kernel_why) == (library.kernels[0], "asked for")
    monkeypatch.setenv("EDGE_RERANK_KERNEL", "auto")
    assert start().describe().kernel_why == "the fastest one for this CPU"
    monkeypatch.setenv("EDGE_RERANK_KERNEL", "abacus")
    with pytest.raises(InputError, match="EDGE_RERANK_KERNEL is 'abacus'; expected one that this"):
        start()
    with pytest.raises(InputError, match=r"kernel is 'mmx'; expected .*scalar"):
        start(kernel="mmx")


def test_a_damaged_artifact_is_an_artifact_error(start: Start, builtin: Artifact) -> None:
    with pytest.raises(ArtifactError, match=r"nowhere.*manifest\.json"):
        start(Artifact(builtin.path / "nowhere", builtin.manifest))


def test_a_model_without_weights_of_its_own_is_another_engine_s(
    start: Start, builtin: Artifact
) -> None:
    files = {"model.onnx": builtin.manifest.files["model.onnx"]}
    with pytest.raises(UnavailableError, match=r"has no model\.safetensors"):
        start(replace(builtin, manifest=replace(builtin.manifest, files=files)))
