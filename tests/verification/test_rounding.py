"""A host that rounds in another way than the default, or takes denormal numbers for zero."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from edge_rerank import ChecksumError, ParityError, Reranker, verify
from edge_rerank.machine.floats import default_floats, denormal_fault, rounding_fault
from edge_rerank.results import RankedDocument
from tests.support.floats import (
    DENORMALS_ARE_ZERO,
    FLUSH,
    MODES,
    ON_X86_LINUX,
    Change,
    environment,
    flushing,
    rounding,
)

pytestmark = ON_X86_LINUX
CHANGES = {mode: rounding(mode) for mode in MODES}
CHANGES["flushing"] = flushing(FLUSH | DENORMALS_ARE_ZERO)
ENGINES = [("native", 1), ("native", 2), ("onnxruntime", 2)]
DOCUMENTS = ["plants eat light", "a bridge of steel", "", "water " * 400]


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the default impossible to set, as on a system whose C library is not known."""
    monkeypatch.setattr("edge_rerank.machine.floats._default_environment", lambda library: None)


def ranked(reranker: Reranker) -> list[RankedDocument[str]]:
    return reranker.rank("how do plants eat", DOCUMENTS)


def test_the_default() -> None:
    assert rounding_fault() is None
    assert denormal_fault() is None


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_default_is_set_and_what_was_there_comes_back(change: Change) -> None:
    def faults() -> tuple[str | None, str | None]:
        return rounding_fault(), denormal_fault()

    with environment(change):
        before = faults()
        assert any(before)
        with default_floats():
            assert faults() == (None, None)
        assert faults() == before
        with pytest.raises(KeyError), default_floats():
            raise KeyError
        assert faults() == before


@pytest.mark.parametrize("name", ["upward", "flushing"])
@pytest.mark.parametrize(("engine", "threads"), ENGINES)
def test_the_same_bits_in_any_environment(name: str, engine: Any, threads: int) -> None:
    change = CHANGES[name]
    with Reranker.load(engine=engine, threads=threads) as reranker:
        expected = ranked(reranker)
    with Reranker.load(engine=engine, threads=threads) as loaded_before, environment(change):
        assert ranked(loaded_before) == expected
        with Reranker.load(engine=engine, threads=threads) as loaded_in_it:
            assert ranked(loaded_in_it) == expected
            fault = rounding_fault(), denormal_fault()
        assert any(fault)  # the host's own is back


@pytest.mark.parametrize("name", ["upward", "flushing"])
def test_verify_holds_in_any_environment(name: str) -> None:
    with environment(CHANGES[name]):
        report = verify()
    assert report.holds


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize("mode", MODES)
def test_rounding_that_cannot_be_mended_is_named(mode: str) -> None:
    with environment(rounding(mode)):
        report = verify()
        with pytest.raises(ParityError, match=f"are rounded {mode} in this thread") as caught:
            Reranker.load()
    assert "fesetenv" in str(caught.value)
    failed = {check.name: check.found for check in report.failures}
    assert f"rounded {mode}" in failed["floating_point"]
    assert failed.keys() == {"floating_point"}
    assert report.engine is None  # nothing was scored, so nothing is said of scores


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize("bits", [FLUSH, DENORMALS_ARE_ZERO])
def test_flushed_denormals_that_cannot_be_mended_are_named(bits: int) -> None:
    with environment(flushing(bits)):
        report = verify()
    (failed,) = report.failures
    assert failed.name == "floating_point"
    assert "denormal" in failed.found


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_no_score_depends_on_denormals(engine: Any) -> None:
    """So that loading need not refuse a host that a library built with -ffast-math has touched."""
    with Reranker.load(engine=engine) as reranker:
        expected = ranked(reranker)
    flushed = flushing(FLUSH | DENORMALS_ARE_ZERO)
    with environment(flushed), Reranker.load(engine=engine) as reranker:
        assert [r.logit for r in ranked(reranker)] == [r.logit for r in expected]


def test_a_thread_of_the_host_hands_its_rounding_on() -> None:
    """New threads inherit it, those of an engine among them: so the caller's is the one to ask."""
    found: list[str | None] = []
    with environment(rounding("upward")):
        thread = threading.Thread(target=lambda: found.append(rounding_fault()))
        thread.start()
        thread.join()
    assert "upward" in (found[0] or "")


@pytest.mark.usefixtures("fixed")
def test_without_the_self_check_the_message_names_the_cause() -> None:
    named = pytest.raises(ChecksumError, match="rounded upward in this thread")
    with environment(rounding("upward")), named:
        Reranker.load(self_check=False)
