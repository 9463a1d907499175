"""The header by itself, and the example in C, as a developer without Python builds them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.engines.native import NativeEngine
from edge_rerank.native_library import Library, library_file
from edge_rerank.tokenizing.choose import PairTokenizer
from native.targets import TARGETS, Target
from tests.native.conftest import HEADER
from tests.support.batches import rows_of
from tests.support.made_tokenizers import byte_level

NATIVE = HEADER.parents[1]
STRICT = ("-Wall", "-Wextra", "-pedantic", "-Werror", f"-I{HEADER.parent}")
PAIRS = [
    ("list files by size", "ls -S prints the largest file first."),
    ("list files by size", "rm removes a directory."),
]


def zig(mode: str, *arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "ziglang", mode, *arguments], check=True)


@pytest.mark.parametrize(("mode", "standard"), [("cc", "c99"), ("c++", "c++11")])
def test_the_header_stands_alone(mode: str, standard: str, host: Target, tmp_path: Path) -> None:
    source = tmp_path / f"alone.{'c' if mode == 'cc' else 'cpp'}"
    source.write_text('#include "edge_rerank.h"\nint main(void) { return 0; }\n')
    for target in TARGETS.values():
        output = str(tmp_path / "alone.o")
        flags = (f"-std={standard}", *STRICT, "-target", target.triple)
        zig(mode, *flags, "-c", str(source), "-o", output)


@pytest.fixture(scope="module")
def rank(host: Target, library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the example, built against the library in the package."""
    if host.system == "windows":
        pytest.skip("the package has no import library")
    program = tmp_path_factory.mktemp("example") / "rank"
    folder = library_file().parent
    flags = ("-std=c99", *STRICT, "-target", host.triple, f"-Wl,-rpath,{folder}", f"-L{folder}")
    source = NATIVE / "example" / "rank.c"
    zig("cc", *flags, str(source), "-ledge_rerank", "-o", str(program))
    return program


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_example_gives_the_bits_that_python_gives(rank: Path, builtin: Artifact) -> None:
    tokenizer = PairTokenizer(builtin.file("tokenizer.json"), max_length=512)
    pairs = tokenizer.encode(PAIRS)
    engine = NativeEngine(builtin, threads=1, max_length=512, why="a test")
    expected = engine.logits(pairs)
    engine.close()
    query, passages = PAIRS[0][0], [document for _, document in PAIRS]
    words = [" ".join(map(str, row.ids)) for row in rows_of(pairs)]
    for arguments in ((str(builtin.path), query, *passages), ("--ids", str(builtin.path), *words)):
        done = run(rank, *arguments)
        assert done.returncode == 0, done.stderr
        assert [np.float32(line) for line in done.stdout.split()] == expected.tolist()
        assert done.stderr.startswith("int8, kernel ")


def test_the_example_puts_the_prompt_before_the_query(
    rank: Path, builtin: Artifact, tmp_path: Path
) -> None:
    folder = tmp_path / "prompted"
    shutil.copytree(builtin.path, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["prompt"] = "für die Suche: "
    (folder / "manifest.json").write_text(json.dumps(manifest))
    query, passages = PAIRS[0][0], [document for _, document in PAIRS]
    prompted = run(rank, str(folder), query, *passages)
    by_hand = run(rank, str(builtin.path), "für die Suche: " + query, *passages)
    assert prompted.returncode == 0, prompted.stderr
    assert prompted.stdout == by_hand.stdout
    assert prompted.stdout != run(rank, str(builtin.path), query, *passages).stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("1 5 x",), "rank: 1 5 x: expected token ids"),
        (("1 99999999999 2",), "rank: 1 99999999999 2: expected token ids"),
        (("1 5 2", "1 2000000000 2"), "rank: score: pair 1 has the token id 2000000000"),
        (("",), "rank: score: pair 0 "),
        (("1 " * 600,), "rank: score: pair 0 "),
    ],
)
def test_the_example_says_what_is_wrong(
    rank: Path, builtin: Artifact, words: tuple[str, ...], message: str
) -> None:
    done = run(rank, "--ids", str(builtin.path), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_tokenizer_that_the_library_does_not_know(
    rank: Path, builtin: Artifact, tmp_path: Path
) -> None:
    for name in ("manifest.json", "model.safetensors"):
        shutil.copy(builtin.path / name, tmp_path)
    byte_level(tmp_path / "tokenizer.json")
    done = run(rank, str(tmp_path), "query", "passage")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"rank: tokenizer: {tmp_path}/tokenizer.json: the " in done.stderr


@pytest.mark.parametrize("arguments", [(), ("--ids",), ("BUILTIN",)])
def test_how_to_use_it(rank: Path, builtin: Artifact, arguments: tuple[str, ...]) -> None:
    given = [argument.replace("BUILTIN", str(builtin.path)) for argument in arguments]
    done = run(rank, *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "rank: usage: rank FOLDER QUERY PASSAGE" in done.stderr


def test_a_folder_that_is_no_artifact(rank: Path, tmp_path: Path) -> None:
    done = run(rank, str(tmp_path), "1 2")
    assert done.returncode == 1
    assert f"rank: open: {tmp_path}" in done.stderr


def test_a_folder_with_a_name_in_any_script(rank: Path, builtin: Artifact, tmp_path: Path) -> None:
    folder = tmp_path / "Übersicht 模型"
    shutil.copytree(builtin.path, folder)
    done = run(rank, os.fspath(folder), "query", "passage")
    assert done.returncode == 0, done.stderr
