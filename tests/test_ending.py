"""Calls that end before they are done: their time is over, or another thread cancels them."""

from __future__ import annotations

import copy
import itertools
import pickle
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from edge_rerank import (
    CancelledError,
    CancelToken,
    ClosedError,
    EdgeRerankError,
    InputError,
    Reranker,
    TimedOutError,
    Windows,
)

QUERY, LONG = "how do plants eat", "plants eat light and water " * 100
SECONDS = 10.0  # far more than a piece takes, and far less than the whole would
Use = Callable[..., object]

USES: dict[str, Callable[..., Any]] = {
    "rank": lambda reranker, texts, **how: reranker.rank(QUERY, texts, **how),
    "score": lambda reranker, texts, **how: list(
        reranker.score(((QUERY, text) for text in texts), **how)
    ),
    "predict": lambda reranker, texts, **how: reranker.predict(
        [(QUERY, text) for text in texts], **how
    ),
    "windows": lambda reranker, texts, **how: reranker.rank(
        QUERY, texts, long_documents=Windows(), **how
    ),
}


@pytest.fixture(scope="module", params=["native", "onnxruntime"])
def reranker(request: pytest.FixtureRequest) -> Iterator[Reranker]:
    with Reranker.load(engine=request.param, threads=2) as opened:
        yield opened


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_time_that_is_over_and_tokens_that_are_spent(reranker: Reranker, use: Use) -> None:
    token = CancelToken()
    use(reranker, ["light"], timeout=60, cancel=token)
    for timeout in (0, -1, 1e-9):
        with pytest.raises(TimedOutError, match="within its timeout"):
            use(reranker, ["light"], timeout=timeout)
    token.cancel()
    assert token.cancelled
    with pytest.raises(CancelledError, match="was cancelled"):
        use(reranker, ["light"], cancel=token)
    use(reranker, ["light"], timeout=float("inf"), cancel=None)


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_a_long_call_ends_soon(reranker: Reranker, use: Use) -> None:
    begin = time.monotonic()
    with pytest.raises(TimedOutError):
        use(reranker, [LONG] * 5000, timeout=0.3)
    assert 0.3 <= time.monotonic() - begin < SECONDS


def test_another_thread_ends_it(reranker: Reranker) -> None:
    token = CancelToken()
    timer = threading.Timer(0.3, token.cancel)
    timer.start()
    with pytest.raises(CancelledError) as caught:
        reranker.rank(QUERY, [LONG] * 5000, cancel=token)
    assert isinstance(caught.value, EdgeRerankError)
    assert reranker.rank(QUERY, ["light"])  # nothing is left behind


def test_what_was_finished_in_time_is_given(reranker: Reranker) -> None:
    def pairs() -> Iterator[tuple[str, str]]:
        yield QUERY, "light"
        time.sleep(2.5)
        yield QUERY, "water"

    found = reranker.score(pairs(), at_a_time=1, timeout=2)
    assert next(found).tokens > 0
    with pytest.raises(TimedOutError):
        next(found)


def test_a_short_call_is_done_beside_a_long_one(reranker: Reranker) -> None:
    expected = reranker.rank(QUERY, ["light", "steel"])
    token = CancelToken()
    with ThreadPoolExecutor(1) as pool:
        long = pool.submit(reranker.rank, QUERY, [LONG] * 5000, cancel=token)
        time.sleep(0.2)
        begin = time.monotonic()
        assert reranker.rank(QUERY, ["light", "steel"]) == expected
        assert time.monotonic() - begin < SECONDS
        assert not long.done()
        token.cancel()
        assert isinstance(long.exception(), CancelledError)


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_calling_cancelling_and_closing_at_once(engine: Any) -> None:
    """Whatever happens to a call, it comes back: with its ranking, or with the end that it had."""
    opened = Reranker.load(engine=engine, threads=2, self_check=False)
    documents = ["light", "steel", LONG]
    expected = opened.rank(QUERY, documents)
    tokens = [CancelToken() for _ in range(6)]
    seen: set[type] = set()

    def use(number: int) -> None:
        for turn in itertools.count():
            timeout = 0.002 if turn % 4 == number % 4 else None
            try:
                found = opened.rank(QUERY, documents, timeout=timeout, cancel=tokens[number])
                assert found == expected
                seen.add(list)
            except ClosedError:
                seen.add(ClosedError)
                return
            except (CancelledError, TimedOutError) as error:
                seen.add(type(error))
                tokens[number] = CancelToken()

    ends = {list, CancelledError, TimedOutError}
    latest = time.monotonic() + 60  # how long it takes depends on what else the machine does
    with ThreadPoolExecutor(len(tokens)) as pool:
        running = [pool.submit(use, number) for number in range(len(tokens))]
        for turn in itertools.count():
            time.sleep(0.05)
            tokens[turn % 3].cancel()  # the others' calls come to their rankings, however slow
            if (turn >= 12 and seen >= ends) or time.monotonic() > latest:
                break
        opened.close()
        for future in running:
            future.result(60)
    assert seen == ends | {ClosedError}


@pytest.mark.parametrize("value", ["1", float("nan"), True, [], "x"])
def test_timeouts_that_are_none(reranker: Reranker, value: Any) -> None:
    with pytest.raises(InputError, match=r"timeout is .*; expected a number of seconds"):
        reranker.rank(QUERY, [], timeout=value)
    with pytest.raises(InputError, match="timeout is "):
        reranker.score([], timeout=value)


@pytest.mark.parametrize("value", [True, 1, threading.Event()])
def test_tokens_that_are_none(reranker: Reranker, value: Any) -> None:
    with pytest.raises(InputError, match=r"cancel is .*; expected an edge_rerank.CancelToken"):
        reranker.rank(QUERY, [], cancel=value)


def test_errors_can_be_sent(reranker: Reranker) -> None:
    for kind in (CancelledError, TimedOutError):
        error = pickle.loads(pickle.dumps(kind("why", index=3)))
        assert (type(error), str(error), error.index) == (kind, "why", 3)
    assert not copy.deepcopy(CancelToken()).cancelled
