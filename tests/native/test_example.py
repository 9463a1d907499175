"""The header by itself, and the example in C, as a developer without Python builds them."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.folder import Artifact, load_artifact
from edge_rerank.engines.native import NativeEngine
from edge_rerank.native_library import Library, library_file
from edge_rerank.tokenizing.choose import PairTokenizer
from native.fuzz.seeds import Shape, write_artifact
from native.targets import TARGETS, Target
from tests.native.conftest import HEADER
from tests.support.batches import rows_of
from tests.support.models import DEBERTA

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


def build(name: str, host: Target, folder: Path) -> Path:
    """Build an example against the library in the package; return the program."""
    if host.system == "windows":
        pytest.skip("the package has no import library")
    program, library = folder / name, library_file().parent
    flags = ("-std=c99", *STRICT, "-target", host.triple, f"-Wl,-rpath,{library}", f"-L{library}")
    source = NATIVE / "example" / f"{name}.c"
    zig("cc", *flags, str(source), "-ledge_rerank", "-o", str(program))
    return program


@pytest.fixture(scope="module")
def rank(host: Target, library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("rank", host, tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="module")
def score_ids(host: Target, library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("score_ids", host, tmp_path_factory.mktemp("example"))


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_examples_give_the_bits_that_python_gives(rank: Path, score_ids: Path) -> None:
    model = load_artifact(DEBERTA, verify=False)
    tokenizer = PairTokenizer(model.file("tokenizer.json"), max_length=512)
    pairs = tokenizer.encode(PAIRS)
    engine = NativeEngine(model, threads=1, max_length=512, why="a test")
    expected = engine.logits(pairs)
    engine.close()
    query, passages = PAIRS[0][0], [document for _, document in PAIRS]
    words = [" ".join(map(str, row.ids)) for row in rows_of(pairs)]
    for program, arguments, said in ((rank, [query, *passages], ""), (score_ids, words, "int8, ")):
        done = run(program, str(model.path), *arguments)
        assert done.returncode == 0, done.stderr
        assert [np.float32(line) for line in done.stdout.split()] == expected.tolist()
        assert done.stderr[:6] == said


def test_score_ids_says_what_a_model_asks_for_beside_ids(score_ids: Path, tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "types", Shape(token_types=2))
    done = run(score_ids, str(folder), "2 3 3 4 3")
    assert (done.returncode, done.stdout) == (1, "")
    assert "say not where the documents begin, which this model asks for" in done.stderr


def test_rank_is_about_forty_lines() -> None:
    assert len((NATIVE / "example" / "rank.c").read_text("utf-8").splitlines()) <= 45


def test_more_texts_than_are_encoded_at_a_time(library: Library, builtin: Artifact) -> None:
    texts = [f"passage {number} about files" for number in range(600)]
    with Reranker.load(engine="native") as reranker:
        expected = reranker.predict([("files", text) for text in texts], scores="logits")
    status, scores = rank_once(library, builtin.path, b"files", [text.encode() for text in texts])
    assert status == 0
    np.testing.assert_array_equal(np.array(scores, np.float32), expected)


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"query": None}, 1, "query is null"),
        ({"texts": [b"a", None, b"b"]}, 1, "texts[1] is null"),
        ({"texts": [b"a", b"\xff"]}, 1, "UTF-8"),
        ({"folder": Path("/nowhere")}, 2, "/nowhere/manifest.json"),
    ],
)
def test_one_call_says_what_is_wrong(
    library: Library, builtin: Artifact, change: dict[str, Any], status: int, message: str
) -> None:
    given = {"folder": builtin.path, "query": b"q", "texts": [b"a"], **change}
    found, scores = rank_once(library, **given)
    assert (found, set(scores)) == (status, {-1.5})
    assert message in library._functions["last_error"]().decode()


def test_no_texts_are_no_error(library: Library, builtin: Artifact) -> None:
    assert rank_once(library, builtin.path, b"q", []) == (0, [])


def rank_once(
    library: Library, folder: Path, query: bytes | None, texts: Sequence[bytes | None]
) -> tuple[int, list[float]]:
    scores = (ctypes.c_float * len(texts))(*[-1.5] * len(texts))
    array = (ctypes.c_char_p * len(texts))(*texts)
    status = library._functions["rank"](os.fsencode(folder), query, array, len(texts), scores)
    return status, list(scores)


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
        (("1 5 x",), "score_ids: 1 5 x: expected token ids"),
        (("1 99999999999 2",), "score_ids: 1 99999999999 2: expected token ids"),
        (("1 5 2", "1 2000000000 2"), "score_ids: score: pair 1 has the token id 2000000000"),
        (("",), "score_ids: score: pair 0 "),
        (("1 " * 600,), "score_ids: score: pair 0 "),
    ],
)
def test_the_example_says_what_is_wrong(
    score_ids: Path, words: tuple[str, ...], message: str
) -> None:
    done = run(score_ids, str(DEBERTA), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


def test_a_tokenizer_that_the_library_does_not_know(
    rank: Path, builtin: Artifact, tmp_path: Path
) -> None:
    for name in ("manifest.json", "model.safetensors"):
        shutil.copy(builtin.path / name, tmp_path)
    content = json.loads(builtin.file("tokenizer.json").read_text("utf-8"))
    content["normalizer"] = {"type": "Nmt"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content), "utf-8")
    done = run(rank, str(tmp_path), "query", "passage")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"rank: {tmp_path}/tokenizer.json: the " in done.stderr


@pytest.mark.parametrize("arguments", [(), ("BUILTIN",), ("BUILTIN", "query")])
def test_how_to_use_it(rank: Path, builtin: Artifact, arguments: tuple[str, ...]) -> None:
    given = [argument.replace("BUILTIN", str(builtin.path)) for argument in arguments]
    done = run(rank, *given)
    assert (done.returncode, done.stdout) == (1, "")
    assert "rank: usage: rank FOLDER QUERY PASSAGE" in done.stderr


def test_a_folder_that_is_no_artifact(rank: Path, score_ids: Path, tmp_path: Path) -> None:
    for program, message in ((rank, "rank: "), (score_ids, "score_ids: open: ")):
        done = run(program, str(tmp_path), "1 2", "3")
        assert done.returncode == 1
        assert f"{message}{tmp_path}" in done.stderr


def test_a_folder_with_a_name_in_any_script(rank: Path, builtin: Artifact, tmp_path: Path) -> None:
    folder = tmp_path / "Übersicht 模型"
    shutil.copytree(builtin.path, folder)
    done = run(rank, os.fspath(folder), "query", "passage")
    assert done.returncode == 0, done.stderr
