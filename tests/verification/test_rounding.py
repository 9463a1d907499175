"""A host that rounds in another way than the default: named by verify and by the self-check."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from edge_rerank import ChecksumError, ParityError, Reranker, verify
from edge_rerank.machine.floats import denormal_fault, rounding_fault

pytestmark = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"),
    reason="the layout of fenv_t is that of glibc on x86-64",
)
MODES = {"upward": 0x800, "downward": 0x400, "toward zero": 0xC00}
FLUSH, DENORMALS_ARE_ZERO = 0x8000, 0x0040
_MXCSR_AT = 28


@contextmanager
def environment(change: Callable[[Any], object]) -> Iterator[None]:
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    before = (ctypes.c_uint8 * 64)()
    assert libm.fegetenv(before) == 0
    try:
        change(libm)
        yield
    finally:
        libm.fesetenv(before)


def rounding(mode: str) -> Callable[[Any], object]:
    return lambda libm: libm.fesetround(MODES[mode])


def flushing(bits: int) -> Callable[[Any], object]:
    def change(libm: Any) -> None:
        now = (ctypes.c_uint8 * 64)()
        libm.fegetenv(now)
        (mxcsr,) = struct.unpack_from("<I", now, _MXCSR_AT)
        struct.pack_into("<I", now, _MXCSR_AT, mxcsr | bits)
        libm.fesetenv(now)

    return change


def test_the_default() -> None:
    assert rounding_fault() is None
    assert denormal_fault() is None


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_rounding_is_named(mode: str, engine: Any) -> None:
    with environment(rounding(mode)):
        report = verify(engine=engine)
        with pytest.raises(ParityError, match=f"are rounded {mode} in this thread") as caught:
            Reranker.load(engine=engine)
    assert "fesetenv" in str(caught.value)
    failed = {check.name: check.found for check in report.failures}
    assert f"rounded {mode}" in failed["floating_point"]
    assert failed.keys() == {"floating_point"}
    assert report.engine is None  # nothing was scored, so nothing is said of scores
    assert verify(engine=engine).holds


@pytest.mark.parametrize("bits", [FLUSH, DENORMALS_ARE_ZERO, FLUSH | DENORMALS_ARE_ZERO])
def test_flushed_denormals_are_named(bits: int) -> None:
    with environment(flushing(bits)):
        report = verify()
    (failed,) = report.failures
    assert failed.name == "floating_point"
    assert "denormal" in failed.found


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_no_score_depends_on_denormals(engine: Any) -> None:
    """So that loading need not refuse a host that a library built with -ffast-math has touched."""
    documents = ["plants eat light", "a bridge of steel", "", "water " * 400]
    with Reranker.load(engine=engine) as reranker:
        expected = reranker.rank("how do plants eat", documents)
    flushed = flushing(FLUSH | DENORMALS_ARE_ZERO)
    with environment(flushed), Reranker.load(engine=engine) as reranker:
        found = reranker.rank("how do plants eat", documents)
    assert [result.logit for result in found] == [result.logit for result in expected]


def test_a_thread_of_the_host_hands_its_rounding_on() -> None:
    """New threads inherit it, those of an engine among them: so the caller's is the one to ask."""
    found: list[str | None] = []
    with environment(rounding("upward")):
        thread = threading.Thread(target=lambda: found.append(rounding_fault()))
        thread.start()
        thread.join()
    assert "upward" in (found[0] or "")


def test_without_the_self_check_the_message_names_the_cause() -> None:
    named = pytest.raises(ChecksumError, match="rounded upward in this thread")
    with environment(rounding("upward")), named:
        Reranker.load(self_check=False)
