"""The facade: what it gives back, what it refuses, and that its answers never depend on company."""

from __future__ import annotations

import copy
import os
import random
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import (
    ArtifactNotFoundError,
    ClosedError,
    Document,
    EngineError,
    InputError,
    RankedDocument,
    Reranker,
)
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Probe, write_manifest, write_probes
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.verification.probe_check import check_probes
from tests.conftest import MAX_LENGTH, WORDS, expected_logit, tiny_manifest
from tests.support.batches import rows_of

QUERY = "how do plants eat"


@pytest.fixture(scope="module")
def reranker(artifact_path: Path) -> Iterator[Reranker]:
    with Reranker.load(artifact_path, threads=1) as loaded:
        yield loaded


def texts(count: int, seed: int = 0, longest: int = 120) -> list[str]:
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(0, longest))) for _ in range(count)]


def test_logits_are_those_of_each_pair_alone(reranker: Reranker, artifact_path: Path) -> None:
    documents = texts(700)  # more than one chunk
    tokenizer = PairTokenizer(artifact_path / "tokenizer.json", max_length=MAX_LENGTH)
    encoded = rows_of(tokenizer.encode([(QUERY, document) for document in documents]))
    by_index = {result.index: result for result in reranker.rank(QUERY, documents)}
    assert sorted(by_index) == list(range(700))
    for index, pair in enumerate(encoded):
        result = by_index[index]
        assert result.logit == pytest.approx(expected_logit(pair.ids), abs=2e-5)
        assert (result.tokens, result.truncated) == (len(pair.ids), pair.truncated)
        assert result.score == pytest.approx(1 / (1 + np.exp(-result.logit)), abs=1e-6)
    assert {result.truncated for result in by_index.values()} == {True, False}


def test_best_first_and_ties_by_input_order(reranker: Reranker) -> None:
    ranked = reranker.rank(QUERY, ["water", "light", "water", "steel", "light", "water"])
    logits = [result.logit for result in ranked]
    assert logits == sorted(logits, reverse=True)
    for same in ([0, 2, 5], [1, 4]):
        assert [result.index for result in ranked if result.index in same] == same


def test_sorted_by_logit_where_sigmoid_saturates(make_artifact: Callable[..., Path]) -> None:
    # With token types the tiny model adds up to 100 a token: every sigmoid is 1.0.
    with Reranker.load(make_artifact(types=True), threads=1) as loaded:
        ranked = loaded.rank("a", ["water", "water steel light bridge", "light wing"])
    assert [result.score for result in ranked] == [1.0, 1.0, 1.0]
    assert [result.index for result in ranked] == [1, 2, 0]


def test_top_k_is_the_head_of_the_whole_ranking(reranker: Reranker) -> None:
    documents = texts(40) * 2
    whole = reranker.rank(QUERY, documents)
    for count in (1, 7, 80, 1000):
        assert reranker.rank(QUERY, documents, top_k=count) == whole[:count]


def test_progress_counts_what_is_scored(reranker: Reranker) -> None:
    seen: list[int] = []
    reranker.rank(QUERY, texts(300), top_k=2, progress=seen.append)
    assert seen == list(range(1, 301))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_use_after_a_fork_is_refused(engine: Any) -> None:
    with Reranker.load(engine=engine, threads=2) as opened:
        opened.rank(QUERY, ["water"])
        child = os.fork()
        if child == 0:
            uses = [
                lambda: opened.rank(QUERY, ["water"]),
                lambda: opened.rank(QUERY, []),
                lambda: opened.predict([(QUERY, "water")]),
                opened.describe,
                lambda: opened.max_length,
            ]
            refused = [_says(use, "load one in each process") for use in uses]
            opened.close()  # must not wait for threads that are not there
            opened.close()
            os._exit(0 if all(refused) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _says(use: Callable[[], object], why: str) -> bool:
    try:
        use()
    except EngineError as error:
        return why in str(error)
    return False


def test_probes_are_scored_and_compared(make_artifact: Callable[..., Path]) -> None:
    folder = make_artifact()
    pairs = [(QUERY, "water"), ("light", "steel"), ("a", "water " * 200)]
    with Reranker.load(folder, threads=1) as loaded:
        logits = loaded.predict(pairs, scores="logits").tolist()
    off = (0.0, 0.3, -0.4)
    write_probes(
        folder, tuple(Probe(*pairs[place], logits[place] + off[place]) for place in range(3))
    )
    write_manifest(folder, tiny_manifest())
    with Reranker.load(folder, threads=1) as loaded:
        check = check_probes(loaded)
    assert check is not None
    assert check.pairs == 3
    assert check.rms_error == pytest.approx((0.25 / 3) ** 0.5, abs=1e-6)
    assert check.max_error == pytest.approx(0.4, abs=1e-6)
    with Reranker.load(folder, threads=1, max_length=16) as loaded:
        shorter = check_probes(loaded)
    assert shorter is not None
    assert shorter.pairs == 2
    assert shorter.max_error == pytest.approx(0.3, abs=1e-6)


def test_the_built_in_model_scores_as_recorded() -> None:
    try:
        folder = builtin_model()
    except ArtifactNotFoundError as error:
        pytest.skip(str(error))
    with Reranker.load() as loaded:
        assert loaded.artifact.path == folder.resolve()
        check = check_probes(loaded)
        recorded = loaded.artifact.manifest.parity["int8_against_fp32_graph"]["rms_error"]
    assert check is not None
    # Not to the bit: processors and releases of ONNX Runtime round differently.
    assert check.rms_error <= 2 * recorded + 0.01


def test_logits_on_request(reranker: Reranker) -> None:
    for result in reranker.rank(QUERY, texts(5), scores="logits"):
        assert result.score == result.logit
        assert type(result.score) is type(result.logit) is float
        assert result.logit == float(np.float32(result.logit))


def test_documents_come_back_as_the_same_objects(reranker: Reranker) -> None:
    documents: list[Document] = ["water", {"text": "light", "id": 3}, {"text": "steel"}]
    before = copy.deepcopy(documents)
    for result in reranker.rank(QUERY, iter(documents), return_documents=True, top_k=2):
        assert result.document is documents[result.index]
    assert documents == before
    assert all(result.document is None for result in reranker.rank(QUERY, documents))


def test_text_field_and_plain_text_score_alike(reranker: Reranker) -> None:
    plain = reranker.rank(QUERY, ["water flow", "steel"])
    documents: list[Document] = [{"body": "water flow"}, "steel"]
    assert reranker.rank(QUERY, documents, text_field="body") == plain


def test_no_documents_no_results(reranker: Reranker) -> None:
    assert reranker.rank(QUERY, []) == []
    empty = reranker.predict([])
    assert empty.shape == (0,)
    assert empty.dtype == np.float32


def test_predict_keeps_input_order(reranker: Reranker) -> None:
    pairs = [(query, text) for query, text in zip(texts(60, 1, 9), texts(60, 2), strict=True)]
    scores = reranker.predict(pairs, scores="logits")
    assert scores.dtype == np.float32
    alone = [reranker.predict([pair], scores="logits")[0] for pair in pairs]
    np.testing.assert_allclose(scores, alone, atol=2e-5)


def test_score_takes_pairs_as_it_goes(reranker: Reranker) -> None:
    taken = 0

    def endless() -> Iterator[tuple[str, str]]:
        nonlocal taken
        while True:
            taken += 1
            yield QUERY, "water"

    stream = reranker.score(endless())
    assert taken == 0
    next(stream)
    assert 0 < taken <= 256
    taken = 0
    next(reranker.score(endless(), at_a_time=1))
    assert taken == 1
    with pytest.raises(InputError, match="at_a_time is 0; expected a whole number of pairs from 1"):
        reranker.score([], at_a_time=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": 3}, "the query is 3; expected a string"),
        ({"query": "\udc80"}, r"the query holds the lone surrogate '\\udc80' at character 0"),
        ({"documents": "text"}, "documents is a str; expected a list"),
        ({"documents": {"text": "a"}}, "documents is a dict"),
        ({"documents": 5}, "documents is a int"),
        ({"documents": ["a", None]}, "document 1 is None; expected a string, or a mapping"),
        ({"documents": ["a", b"b"]}, "document 1 is b'b'"),
        ({"documents": ["a", "x\ud800"]}, "document 1 holds the lone surrogate"),
        ({"documents": [{"body": "a"}]}, "document 0 has no 'text' field, only 'body'"),
        ({"documents": [{"text": 1}]}, "document 0: the field 'text' is 1; expected a string"),
        ({"top_k": 0}, "top_k is 0; expected a whole number from 1"),
        ({"top_k": True}, "top_k is True"),
        ({"top_k": 1.5}, "top_k is 1.5"),
        ({"scores": "softmax"}, "scores is 'softmax'; expected one of sigmoid, logits"),
    ],
)
def test_bad_input_is_named(reranker: Reranker, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        reranker.rank(**{"query": QUERY, "documents": ["water"], **arguments})


def test_bad_document_deep_in_the_list_is_named_by_its_own_index(reranker: Reranker) -> None:
    with pytest.raises(InputError, match="document 1300 is 7"):
        reranker.rank(QUERY, ["water"] * 1300 + [7])  # type: ignore[type-var]


@pytest.mark.parametrize("pair", ["ab", ("a",), ("a", "b", "c"), ("a", 1), None])
def test_bad_pairs_are_named(reranker: Reranker, pair: object) -> None:
    with pytest.raises(InputError, match="pair 1"):
        reranker.predict([("a", "b"), pair])  # type: ignore[list-item]


def test_unknown_keywords_are_refused(reranker: Reranker) -> None:
    with pytest.raises(TypeError):
        reranker.rank(QUERY, [], topk=3)  # type: ignore[call-overload]


@pytest.mark.parametrize("length", [0, -1, 4, MAX_LENGTH + 1, "x", True])
def test_max_length_is_checked(artifact_path: Path, length: object) -> None:
    with pytest.raises(InputError, match="max_length is"):
        Reranker.load(artifact_path, max_length=length)  # type: ignore[arg-type]


def test_max_length_cuts(artifact_path: Path) -> None:
    with Reranker.load(artifact_path, threads=1, max_length=16) as loaded:
        (result,) = loaded.rank(QUERY, ["water " * 50])
    assert (result.tokens, result.truncated) == (16, True)


def test_closed_means_closed(artifact_path: Path) -> None:
    loaded = Reranker.load(artifact_path, threads=1)
    stream = loaded.score([(QUERY, "water")] * 600)
    next(stream)
    loaded.close()
    loaded.close()
    uses: tuple[Callable[[], object], ...] = (
        lambda: loaded.rank(QUERY, []),
        lambda: loaded.predict([]),
        lambda: loaded.score([]),
        lambda: loaded.__enter__(),
        lambda: loaded.describe(),
        lambda: list(stream),
    )
    for use in uses:
        with pytest.raises(ClosedError):
            use()
    assert loaded.artifact.manifest.name == "tiny"


def test_unknown_engine(artifact_path: Path) -> None:
    expected = "engine is 'tpu'; expected one of auto, native, onnxruntime"
    with pytest.raises(InputError, match=expected):
        Reranker.load(artifact_path, engine="tpu")  # type: ignore[arg-type]


def test_many_threads_give_the_answers_of_one(reranker: Reranker) -> None:
    jobs = [(text, texts(30, seed)) for seed, text in enumerate(texts(24, 99, 8))]
    in_turn = [reranker.rank(*job) for job in jobs]
    barrier = threading.Barrier(8)

    def work(job: tuple[str, list[str]]) -> list[RankedDocument[str]]:
        if jobs.index(job) < 8:
            barrier.wait(timeout=30)
        return reranker.rank(*job)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, jobs)) == in_turn


def test_closing_under_load_raises_closed_or_gives_answers(artifact_path: Path) -> None:
    loaded = Reranker.load(artifact_path, threads=1)
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(200):
                loaded.rank(QUERY, ["water", "light"])
        except ClosedError:
            pass
        except BaseException as error:
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    loaded.close()
    for worker in workers:
        worker.join(timeout=30)
    assert failures == []
