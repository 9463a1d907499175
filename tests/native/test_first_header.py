"""A program built with the first version's header runs with the library as it is now.

``edge_rerank_first.h`` is that header, and is never changed.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Info, Library, Options, Times, TokenizerInfo, library_file
from edge_rerank.reranker import Reranker
from native.targets import Target
from tests.native.conftest import HEADER

CALLER = Path(__file__).with_name("first_caller.c")
FIRST_SIZES = {"options": 24, "info": 112, "tokenizer_info": 32}


@pytest.mark.build
def test_a_program_of_the_first_version(
    library: Library, host: Target, builtin: Artifact, tmp_path: Path
) -> None:
    if host.system == "windows":
        pytest.skip("the package has no import library")
    folder, program = library_file().parent, tmp_path / "caller"
    flags = ("-std=c99", "-Wall", "-Werror", "-target", host.triple)
    linked = (f"-L{folder}", f"-Wl,-rpath,{folder}", "-ledge_rerank", "-o", str(program))
    command = [sys.executable, "-m", "ziglang", "cc", *flags, str(CALLER), *linked]
    subprocess.run(command, check=True)
    pair = ("list files by size", "ls -S prints the largest file first.")
    done = subprocess.run(
        [str(program), str(builtin.path), *pair], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    threads, logit = done.stdout.split()
    with Reranker.load(engine="native") as reranker:
        (expected,) = reranker.predict([pair], scores="logits")
    assert (threads, np.float32(logit)) == ("2", expected)


def test_structs_keep_their_members_and_the_sizes_that_are_taken(library: Library) -> None:
    assert FIRST_SIZES["options"] == Options.kernel.offset + ctypes.sizeof(ctypes.c_char_p)
    assert FIRST_SIZES["info"] == Info.times.offset + Times.multiply_adds.offset + 8
    assert FIRST_SIZES["tokenizer_info"] == TokenizerInfo.model.offset + 8
    assert ctypes.sizeof(Times) == 48  # other members of Info may follow it


def test_the_header_only_grows() -> None:
    """Each line of code of the first version is still there, in order."""

    def code(path: Path) -> list[str]:
        text, lines = path.read_text("utf-8"), []
        while "/*" in text:
            before, _, after = text.partition("/*")
            text = before + after.partition("*/")[2]
        for line in text.splitlines():
            lines.append(" ".join(line.split()).rstrip(","))
        return [line for line in lines if line]

    now = iter(code(HEADER))
    missing = [
        line for line in code(HEADER.parents[2] / "tests/native/edge_rerank_first.h")
        if line not in now
    ]  # fmt: skip
    assert missing == []
