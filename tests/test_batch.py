"""Batches in and out: each kind of table comes back as what it was, with the same scores."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import InputError, Reranker
from edge_rerank.batch import Scorer

QUERIES = ["how do plants eat", "heat", "lift"]
DOCUMENTS = ["plants eat light", "steel bridge", ""]
COLUMNS = {"id": [7, 8, 9], "query": QUERIES, "document": DOCUMENTS}


@pytest.fixture(scope="module")
def expected(artifact_path: Path) -> list[float]:
    with Reranker.load(artifact_path, threads=1) as direct:
        scores: list[float] = direct.predict(list(zip(QUERIES, DOCUMENTS, strict=True))).tolist()
        return scores


@pytest.fixture
def scorer(artifact_path: Path) -> Scorer:
    return Scorer(artifact_path)


@pytest.mark.parametrize(
    "columns",
    [COLUMNS, {name: np.array(values) for name, values in COLUMNS.items()}],
    ids=["lists", "arrays"],
)
def test_dicts(scorer: Scorer, expected: list[float], columns: dict[str, Any]) -> None:
    before = copy.deepcopy(columns)
    scored = scorer(columns)
    assert scored["score"].dtype == np.float32
    assert scored["score"].tolist() == expected
    assert list(scored) == ["id", "query", "document", "score"]
    assert list(columns) == list(before)


@pytest.mark.parametrize("kind", ["pandas", "polars", "table", "record batch"])
def test_tables_stay_what_they_are(scorer: Scorer, expected: list[float], kind: str) -> None:
    library = pytest.importorskip(kind if kind in ("pandas", "polars") else "pyarrow")
    if kind in ("pandas", "polars"):
        table = library.DataFrame(COLUMNS)
    elif kind == "table":
        table = library.table(COLUMNS)
    else:
        table = library.RecordBatch.from_pydict(COLUMNS)
    scored = scorer(table)
    assert type(scored) is type(table)
    found = scored.column("score") if hasattr(scored, "column_names") else scored["score"]
    assert "float" in str(getattr(found, "type", getattr(found, "dtype", ""))).lower()
    values = found.to_pylist() if hasattr(found, "to_pylist") else found.to_list()
    assert values == expected
    names = getattr(table, "column_names", None) or list(table.columns)
    assert list(names) == ["id", "query", "document"]


def test_a_stream_and_columns_of_other_names(artifact_path: Path, expected: list[float]) -> None:
    scorer = Scorer(artifact_path, query="q", document="text", score="s", scores="sigmoid")
    rows = zip(QUERIES, DOCUMENTS, strict=True)
    scored = list(scorer.stream({"q": [query], "text": [text]} for query, text in rows))
    found: list[Any] = [batch["s"] for batch in scored]
    assert [float(one[0]) for one in found] == expected
    empty: dict[str, Any] = {"q": [], "text": []}
    assert scorer(empty)["s"].shape == (0,)


def test_it_travels_as_its_settings(scorer: Scorer, expected: list[float]) -> None:
    scorer(COLUMNS)
    sent = pickle.dumps(scorer)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert again == scorer
    assert hash(again) == hash(scorer)
    assert again(COLUMNS)["score"].tolist() == expected


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        ({"query": ["a"]}, "no column 'document'"),
        ({**COLUMNS, "score": [1, 2, 3]}, "has a column 'score' already"),
        ({"query": ["a", None], "document": ["a", "b"]}, "row 1 of the batch: pair 1: the query"),
        ({"query": ["a", "b"], "document": ["a", float("nan")]}, "row 1 of the batch"),
        ("text", "a batch is a str"),
    ],
)
def test_bad_batches_are_named(scorer: Scorer, batch: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        scorer(batch)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"query": "a", "document": "a"}, "three different columns"),
        ({"long_documents": "x"}, "long_documents is 'x'"),
        ({"scores": "x"}, "scores is 'x'"),
    ],
)
def test_settings_are_refused_before_any_worker_starts(settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Scorer(**settings)
