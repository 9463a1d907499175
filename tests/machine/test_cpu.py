"""Finding out what the processor can do."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from edge_rerank import UnsupportedCpuError
from edge_rerank.machine._ask_cpu import ask_cpu, missing_baseline
from edge_rerank.machine.cpu import (
    _NUMPY_NAMES,
    Cpu,
    _numpy_features,
    read_cpu,
    require_baseline,
)

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="needs x86-64")


@pytest.mark.parametrize(
    ("text", "asked", "features"),
    [
        ("model name\t: Xeon\nflags\t\t: avx2 avx512f avx512_vnni\n\nflags: x", {}, 3),
        ("flags : sse2", {}, 0),
        ("", {}, None),
        ("flags : avx2 avx512f avx512_vnni", {"AVX512F": False, "AVX2": True}, 1),
        ("flags : avx2 avx_vnni", {"AVX512F": False, "AVX2": False}, None),
        ("", {"AVX2": True, "AVX512F": True, "AVX512VNNI": True}, 3),
        ("flags : avx2 avx_vnni", {"AVX512F": False, "AVX2": True}, 2),
    ],
)
def test_where_the_system_cannot_be_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    asked: dict[str, bool],
    features: int | None,
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("edge_rerank.machine.cpu.ask_cpu", lambda *, is_x86: None)
    monkeypatch.setattr("edge_rerank.machine.cpu._numpy_features", lambda: asked)
    (tmp_path / "cpuinfo").write_text(text)
    cpu = read_cpu(tmp_path / "cpuinfo")
    assert (None if cpu.features is None else len(cpu.features)) == features
    assert cpu.saturates is not any("vnni" in name for name in cpu.features or ())


def test_what_the_system_says_goes_before_cpuinfo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    monkeypatch.setattr("edge_rerank.machine.cpu.ask_cpu", lambda *, is_x86: frozenset({"asimddp"}))
    (tmp_path / "cpuinfo").write_text("Features : fp asimd i8mm\nmodel name : N1\n")
    assert read_cpu(tmp_path / "cpuinfo") == Cpu("aarch64", "N1", ("asimddp",))


def test_reading_this_processor_never_fails() -> None:
    assert read_cpu().machine
    assert read_cpu(Path("/nowhere")).machine


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_system_agrees_with_numpy() -> None:
    # numpy asks the processor by native code; unlike cpuinfo it is right under an emulator too.
    found, asked = ask_cpu(is_x86=platform.machine() == "x86_64"), _numpy_features()
    if found is None or not asked:
        pytest.skip("this C library, or this numpy, cannot be asked")
    theirs = {name for name, key in _NUMPY_NAMES.items() if asked.get(key)}
    assert found & set(_NUMPY_NAMES) == theirs


def test_a_c_library_that_cannot_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    assert ask_cpu(is_x86=True) is None
    assert ask_cpu(is_x86=False) is None
    assert missing_baseline() == frozenset()


@X86
def test_a_processor_that_numpy_would_die_on_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    require_baseline()
    monkeypatch.setattr("edge_rerank.machine.cpu.missing_baseline", lambda: frozenset({"sse4_2"}))
    with pytest.raises(UnsupportedCpuError, match=r"lacks sse4_2; .*x86-64-v2"):
        require_baseline()
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    require_baseline()


def test_it_is_refused_before_numpy_is_imported() -> None:
    code = "import edge_rerank, sys; sys.exit('numpy' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
