"""The C interface as careless callers use it: all calls come back, with a status and a reason."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank.errors import ArtifactError, InputError
from edge_rerank.native_library import Info, Library, Options
from native.fuzz.seeds import TINY, Shape, write_artifact
from tests.native.calls import opened, options, random_pairs, score
from tests.support.tasks import left_of, tasks

OK, INVALID_ARGUMENT, BAD_ARTIFACT, UNSUPPORTED = 0, 1, 2, 3
SHAPE = TINY["types-int8"]
UNTOUCHED = -1.5


class Caller:
    """The functions as ctypes has them, with nothing checked before the call."""

    def __init__(self, library: Library, folder: Path) -> None:
        self._functions = library._functions
        self.folder = os.fsencode(folder)
        self.engine = library.open(self.folder, options(threads=2))

    def why(self) -> str:
        """Return the last error, which must be one line."""
        text: str = self._functions["last_error"]().decode()
        assert text
        assert text.isprintable()
        return text

    def open(self, given: Options | None, folder: bytes | None = None) -> int:
        """Open the artifact and close it again; a failure must give no handle."""
        handle = ctypes.c_void_p(1)
        pointer = None if given is None else ctypes.byref(given)
        status: int = self._functions["open"](folder or self.folder, pointer, ctypes.byref(handle))
        assert (status == OK) == bool(handle)
        self.close(handle)
        return status

    def score(self, **changes: Any) -> int:
        """Score two sound pairs but for what is changed; a failure must leave the logits alone."""
        ids = (ctypes.c_int32 * 5)(*changes.pop("ids", (1, 2, 3, 4, 5)))
        offsets = (ctypes.c_int64 * 3)(*changes.pop("offsets", (0, 2, 5)))
        first = (ctypes.c_int32 * 2)(*changes.pop("first", (1, 3)))
        logits = (ctypes.c_float * 2)(UNTOUCHED, UNTOUCHED)
        arguments = {
            "engine": self.engine, "ids": ids, "offsets": offsets, "first_segments": first,
            "count": 2, "logits": logits,
        }  # fmt: skip
        names = {"null_" + name: name for name in arguments}
        for name in list(changes):
            if name in names:
                del changes[name]
                arguments[names[name]] = None
        status: int = self._functions["score"](*{**arguments, **changes}.values())
        assert (list(logits) == [UNTOUCHED] * 2) == (status != OK or changes.get("count") == 0)
        return status

    def describe(self, info: Info | None) -> int:
        status: int = self._functions["describe"](self.engine, info and ctypes.byref(info))
        return status

    def close(self, handle: ctypes.c_void_p | None) -> None:
        self._functions["close"](handle)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_artifact(tmp_path / "model", SHAPE)


@pytest.fixture
def caller(library: Library, folder: Path) -> Iterator[Caller]:
    made = Caller(library, folder)
    assert made.score() == OK
    yield made
    # Whatever a test did, the engine can still be used.
    assert made.score() == OK
    made.close(made.engine)


@pytest.mark.parametrize("name", ["engine", "ids", "offsets", "logits", "first_segments"])
def test_null_pointers_are_named(name: str, caller: Caller) -> None:
    assert caller.score(**{f"null_{name}": True}) == INVALID_ARGUMENT
    assert f"{name} is null" in caller.why()


def test_no_pairs_are_no_error(caller: Caller) -> None:
    assert caller.score(count=0, null_ids=True, null_offsets=True, null_logits=True) == OK


@pytest.mark.parametrize("count", [2**64 - 1, 2**63, 2**40 + 1])
def test_absurd_counts(count: int, caller: Caller) -> None:
    assert caller.score(count=count) == INVALID_ARGUMENT
    assert f"count is {count}" in caller.why()


@pytest.mark.parametrize(
    ("offsets", "pair"),
    [
        ((0, 0, 5), 0),
        ((0, 2, 2), 1),
        ((0, 2, 1), 1),
        ((0, -1, 5), 0),
        ((0, 2, -(2**63)), 1),
        ((0, 2, 2**63 - 1), 1),
        ((0, 2, 2 + SHAPE.max_length + 1), 1),
    ],
)
def test_offsets_that_fall_or_go_too_far(
    offsets: tuple[int, int, int], pair: int, caller: Caller
) -> None:
    assert caller.score(offsets=offsets) == INVALID_ARGUMENT
    begin, end = offsets[pair : pair + 2]
    assert f"pair {pair} goes from {begin} to {end}; expected 1 to " in caller.why()


@pytest.mark.parametrize("start", [1, -1, -(2**63)])
def test_offsets_begin_at_zero(start: int, caller: Caller) -> None:
    assert caller.score(offsets=(start, 2, 5)) == INVALID_ARGUMENT
    assert f"offsets[0] is {start}; expected 0" in caller.why()


@pytest.mark.parametrize("bad", [-1, SHAPE.vocab_size, 2**31 - 1, -(2**31)])
def test_ids_outside_the_vocabulary(bad: int, caller: Caller) -> None:
    assert caller.score(ids=(1, 2, 3, 4, bad)) == INVALID_ARGUMENT
    assert f"pair 1 has the token id {bad}; the vocabulary has 0 to 7" in caller.why()


@pytest.mark.parametrize("bad", [-1, 4, -(2**31)])
def test_first_segments_beyond_the_pair(bad: int, caller: Caller) -> None:
    assert caller.score(first=(1, bad)) == INVALID_ARGUMENT
    assert f"first_segments[1] is {bad}; expected 0 to 3" in caller.why()


def test_a_model_of_one_token_type_takes_no_second(library: Library, tmp_path: Path) -> None:
    caller = Caller(library, write_artifact(tmp_path / "one", TINY["one-type-int8"]))
    assert caller.score(first=(2, 3)) == OK
    assert caller.score(first=(2, 2)) == INVALID_ARGUMENT
    assert "first_segments[1] is 2; expected 3 to 3" in caller.why()
    caller.close(caller.engine)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"threads": -1}, "options.threads is -1; expected 0 to 256"),
        ({"threads": 257}, "options.threads is 257"),
        ({"max_length": -1}, "options.max_length is -1"),
        ({"max_length": SHAPE.max_length + 1}, "max_length is 13; expected 1 to 12"),
        ({"tokens_in_flight": -(2**31)}, "options.tokens_in_flight is -2147483648"),
        ({"tokens_in_flight": 2**31 - 1}, "options.tokens_in_flight is 2147483647"),
        ({"size": 0}, "options.size is 0"),
        ({"size": Options.map_weights.offset - 1}, "expected sizeof(edge_rerank_options)"),
        ({"size": Options.kernel.offset + 1}, "expected sizeof(edge_rerank_options)"),
    ],
)
def test_bad_options(members: dict[str, int], why: str, caller: Caller) -> None:
    assert caller.open(options(**members)) == INVALID_ARGUMENT
    assert why in caller.why()


@pytest.mark.parametrize("name", ["avx9", "scalar ", "SCALAR", "\n\x01", "x" * 10_000])
def test_kernels_that_are_not_there(name: str, caller: Caller) -> None:
    assert caller.open(options(kernel=name)) == UNSUPPORTED
    assert "does not run on this CPU" in caller.why() or len(name) > 1000


def test_options_of_a_later_version(caller: Caller) -> None:
    size = ctypes.sizeof(Options) + 32
    later = Options.from_buffer(ctypes.create_string_buffer(size))
    later.size, later.threads = size, 1
    assert caller.open(later) == OK
    assert caller.open(None) == OK
    assert caller.open(options(kernel="")) == OK


def test_open_without_its_pointers(caller: Caller, library: Library) -> None:
    raw: Callable[..., int] = library._functions["open"]
    assert raw(caller.folder, None, None) == INVALID_ARGUMENT
    assert "engine is null" in caller.why()
    assert raw(None, None, ctypes.byref(ctypes.c_void_p())) == INVALID_ARGUMENT
    assert "folder is null" in caller.why()


@pytest.mark.parametrize("size", [0, 7, Info.activation.offset - 1])
def test_describe_wants_room(size: int, caller: Caller) -> None:
    assert caller.describe(Info(size=size)) == INVALID_ARGUMENT
    assert f"info.size is {size}; expected sizeof(edge_rerank_info)" in caller.why()
    assert caller.describe(None) == INVALID_ARGUMENT


def test_nothing_can_be_closed(caller: Caller) -> None:
    caller.close(None)


def test_errors_belong_to_their_thread(caller: Caller) -> None:
    assert caller.score(null_ids=True) == INVALID_ARGUMENT
    other = threading.Thread(target=lambda: caller.score(ids=(-1,) * 5))
    other.start()
    other.join()
    assert caller.why() == "ids is null"


BAD_PATHS = [b"", b"/", b"missing", b"/dev/null", b"\xff\xfe\n", b"x" * 5000]


@pytest.mark.parametrize("path", BAD_PATHS, ids=range(len(BAD_PATHS)))
def test_what_is_no_artifact(path: bytes, caller: Caller) -> None:
    assert caller.open(None, path or b"./") == BAD_ARTIFACT
    assert "manifest.json" in caller.why() or len(path) > 1000


@pytest.mark.skipif(sys.platform == "win32", reason="makes named pipes")
@pytest.mark.parametrize("name", ["manifest.json", "model.safetensors"])
def test_what_is_no_file(name: str, caller: Caller, folder: Path) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)  # opening one waits for a writer
    assert caller.open(None) == BAD_ARTIFACT
    assert f"{name}: not a regular file" in caller.why()
    (folder / name).unlink()
    (folder / name).mkdir()
    assert caller.open(None) == BAD_ARTIFACT


SIZES = ("layers", "hidden_size", "heads", "head_size", "intermediate_size", "vocab_size")
ABSURD: tuple[Any, ...] = (0, -1, 1.5, 2**15, 2**31, 2**53, 1e300, True, None, "16", [16], {})


@pytest.mark.parametrize("member", [*SIZES, "embedding_size", "token_types"])
def test_sizes_that_the_weights_contradict(member: str, caller: Caller, folder: Path) -> None:
    manifest = SHAPE.manifest()
    for value in ABSURD:
        manifest["architecture"][member] = value
        (folder / "manifest.json").write_text(json.dumps(manifest))
        assert caller.open(None) == BAD_ARTIFACT or (member, value) == ("token_types", 0)


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        (Shape(hidden_size=24, embedding_size=24), "hidden_size is not a multiple of 16"),
        (Shape(intermediate_size=24), "intermediate_size is not a multiple of 16"),
        (Shape(embedding_size=24), "embedding_size is not a multiple of 16"),
        (Shape(hidden_size=48, embedding_size=48, heads=8), "head_size is not a multiple of 4"),
        (Shape(activation="tanh"), "the activation function tanh in the layers"),
        (Shape(activation="silu"), "the activation function 'silu'"),
    ],
)
def test_what_this_engine_has_no_code_for(
    shape: Shape, why: str, caller: Caller, tmp_path: Path
) -> None:
    other = write_artifact(tmp_path / "other", shape)
    assert caller.open(None, os.fsencode(other)) == UNSUPPORTED
    assert why in caller.why()


def test_every_length_of_a_weights_file_that_was_cut(caller: Caller, folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = path.read_bytes()
    for length in [*range(0, 64), *range(64, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        assert caller.open(None) == BAD_ARTIFACT, length
    path.write_bytes(whole + b"\0")
    assert caller.open(None) == BAD_ARTIFACT


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 2e12])
@pytest.mark.parametrize("tensor", ["pooler.scale", "layers.0.ffn.up.bias", "embeddings.norm.bias"])
def test_values_that_are_no_weights(tensor: str, bad: float, caller: Caller, folder: Path) -> None:
    path = folder / "model.safetensors"
    whole = bytearray(path.read_bytes())
    length = int.from_bytes(whole[:8], "little")
    extent = json.loads(whole[8 : 8 + length])[tensor]["data_offsets"]
    at = 8 + length + extent[1] - 4
    whole[at : at + 4] = np.float32(bad).tobytes()
    path.write_bytes(whole)
    assert caller.open(None) == BAD_ARTIFACT
    assert f"tensor '{tensor}' has a value that is infinite, not a number" in caller.why()


def test_tables_that_are_not_read_at_the_start_are_watched(
    library: Library, tmp_path: Path
) -> None:
    # Embeddings stay mapped and are not looked at before they are used.
    folder = write_artifact(tmp_path / "model", replace(SHAPE, precision="fp32"))
    path = folder / "model.safetensors"
    text = path.read_bytes()
    length = int.from_bytes(text[:8], "little")
    at = json.loads(text[8 : 8 + length])["embeddings.word.weight"]["data_offsets"][0] + 8 + length
    row = np.full(SHAPE.embedding_size, np.nan, np.float32).tobytes()
    path.write_bytes(text[:at] + row + text[at + len(row) :])
    caller = Caller(library, folder)
    assert caller.score(ids=(1, 2, 0, 4, 5)) == 5
    assert "infinite or not a number" in caller.why()
    assert caller.score() == OK
    caller.close(caller.engine)


def test_many_callers_at_once(library: Library, folder: Path) -> None:
    pairs = random_pairs(50, SHAPE.vocab_size, SHAPE.max_length)
    with opened(library, folder, threads=3, tokens_in_flight=16) as engine:
        expected = score(library, engine, pairs)
        wrong: list[int] = []

        def call(number: int) -> None:
            some = pairs[number:]
            for _ in range(20):
                if not np.array_equal(score(library, engine, some), expected[number:]):
                    wrong.append(number)

        callers = [threading.Thread(target=call, args=(number,)) for number in range(6)]
        for thread in callers:
            thread.start()
        for thread in callers:
            thread.join()
    assert wrong == []


def resident() -> int:
    """Return the process's memory in bytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat_and_threads_end(library: Library, folder: Path) -> None:
    pairs = random_pairs(20, SHAPE.vocab_size, SHAPE.max_length)
    threads = tasks()

    def open_and_score() -> None:
        with opened(library, folder, threads=3) as engine:
            for _ in range(10):
                score(library, engine, pairs)

    for _ in range(10):
        open_and_score()
    before = resident()
    for _ in range(100):
        open_and_score()
    assert resident() - before < 2_000_000
    assert not left_of(tasks() - threads)


def test_info_says_what_is_done_before_and_after_the_model(
    library: Library, tmp_path: Path
) -> None:
    found = []
    for name, members in {
        "plain": {},
        "prompted": {"prompt": "für die Suche: ", "activation": "identity"},
        "nul": {"prompt": "a\0b"},
        "number": {"prompt": 7},
        "unknown": {"activation": "relu"},
    }.items():
        folder = write_artifact(tmp_path / name, SHAPE)
        path = folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | members))
        try:
            with opened(library, folder) as engine:
                info = library.describe(engine)
                found.append((info.activation.decode(), info.prompt.decode()))
        except ArtifactError as error:
            found.append(("refused", str(error).rpartition(": ")[2]))
    assert found == [
        ("sigmoid", ""),
        ("identity", "für die Suche: "),
        ("refused", "prompt is missing or wrong; expected a text without NUL"),
        ("refused", "prompt is missing or wrong; expected a text"),
        ("refused", "activation is missing or wrong; expected sigmoid, identity or tanh"),
    ]


def test_a_caller_of_the_first_release_gets_what_it_knows(library: Library, folder: Path) -> None:
    """Its struct ends before what was added, and nothing may be written behind it."""
    with opened(library, folder) as engine:
        info = Info(size=Info.activation.offset, activation=b"untouched")
        library._call("describe", engine, ctypes.byref(info))
        assert (info.activation, info.precision) == (b"untouched", b"int8")
        info.size -= 8
        with pytest.raises(InputError, match=r"info\.size is"):
            library._call("describe", engine, ctypes.byref(info))
