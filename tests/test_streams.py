"""Errors in the middle: what was finished is given first, and the error says where it was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import EdgeRerankError, EngineError, InputError, Reranker, TokenizerError
from edge_rerank.pairs import Pair, TokenizedBatch

QUERY = "how do plants eat"
GOOD = [(QUERY, f"water {'flow ' * (index % 7)}{index}") for index in range(700)]


@pytest.fixture
def reranker(artifact_path: Path) -> Iterator[Reranker]:
    with Reranker.load(artifact_path, threads=1) as loaded:
        yield loaded


def stream(pairs: Sequence[Any], error: BaseException | None = None) -> Iterator[Any]:
    yield from pairs
    if error is not None:
        raise error


def drained(results: Iterator[Any]) -> tuple[list[Any], BaseException | None]:
    taken = []
    try:
        for result in results:
            taken.append(result)
    except BaseException as error:
        return taken, error
    return taken, None


def spoilt(place: int, bad: object) -> list[Any]:
    pairs: list[Any] = list(GOOD)
    pairs[place] = bad
    return pairs


BAD = [7, ("a",), ("a", None), ("a", "x\ud800"), "ab"]


@pytest.mark.parametrize("place", [0, 1, 200, 255, 256, 257, 699])
@pytest.mark.parametrize("at_a_time", [1, 64, 256, 1000])
def test_pairs_before_a_bad_one_are_given(reranker: Reranker, place: int, at_a_time: int) -> None:
    expected = list(reranker.score(GOOD[:place]))
    bad = BAD[place % len(BAD)]
    taken, error = drained(reranker.score(stream(spoilt(place, bad)), at_a_time=at_a_time))
    assert taken == expected
    assert isinstance(error, InputError)
    assert error.index == place
    assert f"pair {place}" in str(error)


@pytest.mark.parametrize("raised", [RuntimeError("line 9"), OSError("disk"), InputError("mine")])
def test_what_the_stream_raises_comes_after_what_it_gave(
    reranker: Reranker, raised: Exception
) -> None:
    taken, error = drained(reranker.score(stream(GOOD[:300], raised)))
    assert len(taken) == 300
    assert error is raised


def test_an_interrupt_does_not_wait(reranker: Reranker) -> None:
    taken, error = drained(reranker.score(stream(GOOD[:300], KeyboardInterrupt())))
    assert len(taken) == 256
    assert isinstance(error, KeyboardInterrupt)


class Counting:
    """An engine or tokenizer that counts its calls, and fails over marked pairs."""

    def __init__(self, inner: Any, method: str, fail: Any) -> None:
        self.inner, self.method, self.fail, self.calls = inner, method, fail, 0

    def __getattr__(self, name: str) -> Any:
        if name != self.method:
            return getattr(self.inner, name)

        def call(value: Any) -> Any:
            self.calls += 1
            self.fail(value)
            return getattr(self.inner, name)(value)

        return call


def counting(reranker: Reranker, fail: Any = lambda value: None) -> Counting:
    assert reranker._open is not None
    tokenizer, engine = reranker._open
    counted = Counting(engine, "logits", fail)
    reranker._open = (tokenizer, counted)
    return counted


def test_lists_are_checked_before_anything_is_computed(reranker: Reranker) -> None:
    engine = counting(reranker)
    for pairs in (spoilt(600, 7), tuple(spoilt(600, 7))):
        for use in (reranker.score, reranker.predict):
            with pytest.raises(InputError, match="pair 600 is 7") as caught:
                use(pairs)
            assert caught.value.index == 600
    documents: list[Any] = [*["water"] * 600, None]
    for given in (documents, np.array(documents, object)):
        with pytest.raises(InputError, match="document 600 is None") as caught:
            reranker.rank(QUERY, given)
        assert caught.value.index == 600
    assert engine.calls == 0


def test_streams_of_documents_too_have_an_index(reranker: Reranker) -> None:
    documents: list[Any] = [*["water"] * 600, {"body": "a"}]
    with pytest.raises(InputError, match="document 600 has no 'text'") as caught:
        reranker.rank(QUERY, iter(documents))
    assert caught.value.index == 600


@pytest.mark.parametrize("kind", [EngineError, TokenizerError, InputError])
@pytest.mark.parametrize("place", [0, 100, 300, 699])
@pytest.mark.parametrize("listed", [True, False])
def test_what_fails_over_one_pair_keeps_those_before_it(
    reranker: Reranker, kind: type[EdgeRerankError], place: int, listed: bool
) -> None:
    expected = list(reranker.score(GOOD[:place]))
    assert reranker._open is not None
    tokenizer, engine = reranker._open
    query, text = GOOD[place]
    marked = tokenizer.encode([(query, f"{text} shock wave heat")]).ids.tolist()

    def over_texts(pairs: Sequence[Pair]) -> None:
        if any(document.endswith("shock wave heat") for _, document in pairs):
            raise kind("pair 0 is one that it cannot take")

    def over_ids(batch: TokenizedBatch) -> None:
        if any(batch.ids_of(row).tolist() == marked for row in range(len(batch))):
            raise kind("it fails")

    if kind is TokenizerError:
        reranker._open = (Counting(tokenizer, "encode", over_texts), engine)  # type: ignore[assignment]
    else:
        counting(reranker, over_ids)
    pairs = spoilt(place, (query, f"{text} shock wave heat"))
    taken, error = drained(reranker.score(pairs if listed else iter(pairs)))
    assert taken == expected
    assert type(error) is kind
    assert error.index == place
    assert str(error).startswith(f"pair {place}: i")
    with pytest.raises(kind, match=f"document {place}: i") as caught:
        reranker.rank(QUERY, [document for _, document in pairs])
    assert caught.value.index == place
    with pytest.raises(kind, match=f"pair {place}: i"):
        reranker.predict(pairs)


def test_a_failure_that_passes_is_no_failure(reranker: Reranker) -> None:
    expected = list(reranker.score(GOOD))

    def too_many(batch: TokenizedBatch) -> None:
        if len(batch) > 100:
            raise EngineError("out of memory")

    counting(reranker, too_many)
    assert list(reranker.score(GOOD)) == expected


def test_errors_keep_their_index_between_processes() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(InputError("pair 7 is bad", index=7)))
    assert (type(error), str(error), error.index) == (InputError, "pair 7 is bad", 7)
    assert pickle.loads(pickle.dumps(EngineError("it failed"))).index is None
