"""Calls of several threads share an engine: in order of arrival, a piece each, while they may."""

from __future__ import annotations

import ctypes
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import CancelledError, CancelToken, EngineError, TimedOutError
from edge_rerank.ending import Limits
from edge_rerank.native_library import CallOptions, Library
from native.fuzz.seeds import TINY, XSMALL, write_artifact
from tests.native.calls import Pair, opened, random_pairs, score

SHAPE = TINY["types-int8"]
NOT_FINITE, CANCELLED, TIMED_OUT = 5, 8, 9
SECONDS_OF_A_PIECE = 4.0  # far more than one takes: 0.05, or some 0.3 on a small board
ENDLESS = 4000  # pairs; minutes
Use = Callable[..., int]


@pytest.fixture(scope="module")
def xsmall(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_artifact(tmp_path_factory.mktemp("xsmall") / "model", XSMALL)


@pytest.fixture(scope="module")
def large(library: Library, xsmall: Path) -> Iterator[ctypes.c_void_p]:
    """Return an engine whose pieces take a while."""
    with opened(library, xsmall, threads=2) as engine:
        yield engine


def long_pairs(count: int) -> list[Pair]:
    return [np.full(512, 7, np.int32)] * count


def call(
    library: Library, engine: ctypes.c_void_p, pairs: list[Pair], **members: object
) -> tuple[int, list[float]]:
    """Score pairs with options of a call; return the status and the logits."""
    given = CallOptions(size=ctypes.sizeof(CallOptions), **members)
    lengths = np.array([len(pair) for pair in pairs])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids, first = np.concatenate(pairs), np.ascontiguousarray(lengths // 2, np.int32)
    logits = np.full(len(pairs), -1.5, np.float32)
    kinds = (ctypes.c_int32, ctypes.c_int64, ctypes.c_int32)
    arrays = [
        array.ctypes.data_as(ctypes.POINTER(kind))
        for array, kind in zip(list[Any]([ids, offsets, first]), kinds, strict=True)
    ]
    out = logits.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    status = library._functions["score_with"](engine, ctypes.byref(given), *arrays, len(pairs), out)
    return status, logits.tolist()


def why(library: Library) -> str:
    text: str = library._functions["last_error"]().decode()
    return text


def test_a_call_that_was_cancelled_before(library: Library, tmp_path: Path) -> None:
    folder, flag = write_artifact(tmp_path / "model", SHAPE), ctypes.c_int32(0)
    pairs = [np.array([1, 2, 3], np.int32)]
    with opened(library, folder) as engine:
        assert call(library, engine, pairs, cancelled=ctypes.pointer(flag))[0] == 0
        library._functions["cancel"](flag)
        status, logits = call(library, engine, pairs, cancelled=ctypes.pointer(flag))
        assert (status, logits, flag.value) == (CANCELLED, [-1.5], 1)
        assert why(library) == "the call was cancelled"
        flag.value = 0
        assert call(library, engine, pairs, cancelled=ctypes.pointer(flag))[0] == 0
        library._functions["cancel"](None)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"timeout_ms": -1}, "call_options.timeout_ms is -1; expected 0 to 2147483647"),
        ({"size": 15}, "call_options.size is 15; expected sizeof(edge_rerank_call_options), 16"),
    ],
)
def test_options_that_are_none(
    library: Library, tmp_path: Path, members: dict[str, int], message: str
) -> None:
    folder = write_artifact(tmp_path / "model", SHAPE)
    with opened(library, folder) as engine:
        given = {"size": 16, **members}
        size = given.pop("size")
        options = CallOptions(size=size, **given)
        status = library._functions["score_with"](
            engine, ctypes.byref(options), None, None, None, 0, None
        )
    assert status == 1
    assert message in why(library)


def test_a_call_ends_within_a_piece_of_its_time(library: Library, large: ctypes.c_void_p) -> None:
    begin = time.monotonic()
    status, logits = call(library, large, long_pairs(ENDLESS), timeout_ms=100)
    took = time.monotonic() - begin
    assert (status, set(logits)) == (TIMED_OUT, {-1.5})
    assert 0.1 <= took < 0.1 + SECONDS_OF_A_PIECE


def test_a_call_ends_within_a_piece_of_its_cancellation(
    library: Library, large: ctypes.c_void_p
) -> None:
    flag, ended = ctypes.c_int32(0), []

    def run() -> None:
        status, logits = call(library, large, long_pairs(ENDLESS), cancelled=ctypes.pointer(flag))
        ended.append((time.monotonic(), status, set(logits)))

    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.2)
    cancelled = time.monotonic()
    library._functions["cancel"](flag)
    thread.join()
    assert ended[0][1:] == (CANCELLED, {-1.5})
    assert 0 <= ended[0][0] - cancelled < SECONDS_OF_A_PIECE


def test_a_short_call_waits_for_one_piece_of_a_long_one(
    library: Library, large: ctypes.c_void_p
) -> None:
    expected = score(library, large, long_pairs(1))
    with ThreadPoolExecutor(1) as pool:
        token = CancelToken()
        long = pool.submit(
            call, library, large, long_pairs(ENDLESS),
            cancelled=ctypes.cast(token.address, ctypes.POINTER(ctypes.c_int32)),
        )  # fmt: skip
        time.sleep(0.1)
        for _ in range(5):
            begin = time.monotonic()
            np.testing.assert_array_equal(score(library, large, long_pairs(1)), expected)
            assert time.monotonic() - begin < 2 * SECONDS_OF_A_PIECE
        assert not long.done()
        # One that waits can run out of time, too.
        assert call(library, large, long_pairs(8), timeout_ms=1)[0] == TIMED_OUT
        token.cancel()
        assert long.result()[0] == CANCELLED


def test_calls_at_once_take_turns_in_order_of_arrival(library: Library, xsmall: Path) -> None:
    """Three of the same size that begin one after the other end in that order, close together."""
    ended: list[int] = []
    at_a_time = 16  # so many that a piece takes about as long as the next call takes to come

    def run(number: int) -> None:
        assert call(library, engine, long_pairs(2 * at_a_time))[0] == 0
        ended.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    with opened(library, xsmall, threads=2, tokens_in_flight=512 * at_a_time) as engine:
        for thread in threads:
            thread.start()
            time.sleep(0.5)
        for thread in threads:
            thread.join()
    assert ended == [0, 1, 2]


def poisoned(folder: Path) -> Path:
    """Make the embedding of token 0 one that is not a number."""
    path = write_artifact(folder, replace(SHAPE, precision="fp32")) / "model.safetensors"
    text = path.read_bytes()
    length = int.from_bytes(text[:8], "little")
    at = json.loads(text[8 : 8 + length])["embeddings.word.weight"]["data_offsets"][0] + 8 + length
    row = np.full(SHAPE.embedding_size, np.nan, np.float32).tobytes()
    path.write_bytes(text[:at] + row + text[at + len(row) :])
    return folder


def test_small_calls_at_once_get_their_own_bits_and_their_own_faults(
    library: Library, tmp_path: Path
) -> None:
    pairs = [pair % (SHAPE.vocab_size - 1) + 1 for pair in random_pairs(40, 1000, 12)]
    bad = [np.array([1, 0, 2], np.int32)]
    with opened(library, poisoned(tmp_path / "model"), threads=2) as engine:
        expected = [call(library, engine, [pair]) for pair in pairs]

        def run(number: int) -> bool:
            good = True
            for turn in range(30):
                index = (number * 7 + turn) % len(pairs)
                good &= call(library, engine, [pairs[index]]) == expected[index]
                if turn % 5 == number % 5:
                    good &= call(library, engine, bad) == (NOT_FINITE, [-1.5])
            return good

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(run, range(8)))


def test_calling_cancelling_and_timing_out_at_once(library: Library, tmp_path: Path) -> None:
    """Every call comes back, with the right bits or with the end that it was given."""
    folder = write_artifact(tmp_path / "model", SHAPE)
    pairs = random_pairs(60, SHAPE.vocab_size, SHAPE.max_length)
    with opened(library, folder, threads=2, tokens_in_flight=16) as engine:
        expected = call(library, engine, pairs)[1]

        def run(number: int) -> set[int]:
            seen = set()
            for turn in range(40):
                flag, first = ctypes.c_int32(0), (number * 5 + turn) % 50
                some = pairs[first : first + 1 + turn % 10]
                timer = threading.Timer(0.0003 * (turn % 3), library._functions["cancel"], [flag])
                if turn % 2:
                    timer.start()
                status, logits = call(
                    library, engine, some,
                    cancelled=ctypes.pointer(flag), timeout_ms=1 if turn % 3 == 0 else 0,
                )  # fmt: skip
                if turn % 2:
                    timer.join()
                right = expected[first : first + len(some)] if status == 0 else [-1.5] * len(some)
                assert logits == right
                seen.add(status)
            return seen

        with ThreadPoolExecutor(8) as pool:
            seen = set().union(*pool.map(run, range(8)))
    assert seen <= {0, CANCELLED, TIMED_OUT}
    assert CANCELLED in seen


def test_errors_are_of_their_own_kinds(library: Library, large: ctypes.c_void_p) -> None:
    offsets = np.arange(0, 512 * ENDLESS + 1, 512, dtype=np.int64)
    ids, first = np.full(512 * ENDLESS, 7, np.int32), np.ones(ENDLESS, np.int32)
    endless, logits, token = (
        (ids, offsets, first, ENDLESS),
        np.empty(ENDLESS, np.float32),
        CancelToken(),
    )
    token.cancel()
    with pytest.raises(CancelledError):
        library.score(large, *endless, logits, Limits(cancel=token))
    with pytest.raises(TimedOutError) as caught:
        library.score(large, *endless, logits, Limits(deadline=time.monotonic() + 0.01))
    assert isinstance(caught.value, TimeoutError)
    assert not isinstance(caught.value, EngineError)
