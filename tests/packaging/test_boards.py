"""docs/raspberry-pi.md as far as it can be checked without a board."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import code_blocks
from tests.support.tree import ROOT, copy_tree

PAGE = ROOT / "docs" / "raspberry-pi.md"
_ASK = """
import sys
sys.maxsize = 2**31 - 1
from native import backend
backend.get_requires_for_build_{}()
"""


def test_systemd_knows_every_line_of_the_service(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    (text,) = (text for language, text in code_blocks(PAGE) if language == "ini")
    program = "/opt/edge-rerank/bin/edge-rerank"
    assert f"ExecStart={program} serve" in text
    unit = tmp_path / "edge-rerank.service"
    unit.write_text(text.replace(program, "/bin/sh"), "utf-8")  # it looks for the program
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    about = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, about) == (0, []), done.stderr
    unit.write_text(text.replace("ProtectHome", "ProtectHouse"), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert "ProtectHouse" in done.stderr  # so that it would say so


@pytest.mark.parametrize("what", ["wheel", "editable"])
@pytest.mark.parametrize(("native", "refused"), [("", True), ("1", True), ("0", False)])
def test_32_bit_programs_are_refused(what: str, native: str, refused: bool, tmp_path: Path) -> None:
    variables = {"EDGE_RERANK_BUILD_NATIVE": native, "EDGE_RERANK_TARGET": ""}
    done = subprocess.run(
        [sys.executable, "-c", _ASK.format(what)],
        cwd=copy_tree(tmp_path), env={**os.environ, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode != 0) == refused, done.stderr
    assert ("this is a 32-bit Python; edge-rerank needs a 64-bit one" in done.stderr) == refused
