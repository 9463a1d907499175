"""Scoring on many machines: a callable that engines send to their workers, batches in and out.

    from edge_rerank.batch import Scorer

    scorer = Scorer("my-model")
    scored = scorer({"query": queries, "document": documents})  # the same, and a score column

docs/clusters.md has the lines for Ray Data, Dask, Spark, DuckDB and Polars.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from edge_rerank.adapters import SharedModel
from edge_rerank.description import Scores
from edge_rerank.errors import EdgeRerankError, InputError, shown
from edge_rerank.windows.options import LongDocuments, Windows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Batch = TypeVar("Batch")


@dataclass(frozen=True)
class Scorer:
    """Adds a column of scores to batches: tables of Arrow, pandas or polars, dicts of columns.

    A worker opens the model at its first batch, and once for all scorers in its process; what is
    sent there is the settings alone. A row's score is the same bits in any batch, on any worker.
    """

    path: str | os.PathLike[str] | None = None
    """Folder of an exported model, the same on every machine; None is the built-in one."""
    query: str = "query"
    """The column of queries."""
    document: str = "document"
    """The column of documents."""
    score: str = "score"
    """The column that is added: float32."""
    threads: int = 1
    """Of each worker: engines run one on each core."""
    max_length: int | None = None
    scores: Scores | None = None
    long_documents: LongDocuments | Windows = "truncate"
    query_max_tokens: int | None = None

    def __post_init__(self) -> None:
        """Check the settings, before any worker is started."""
        self._model()
        if len({self.query, self.document, self.score}) < 3:
            raise InputError("query, document and score must be three different columns")

    def __call__(self, batch: Batch) -> Batch:
        """Return the batch with its scores; raises InputError that names column or row."""
        names = _columns(batch)
        missing = [name for name in (self.query, self.document) if name not in names]
        if missing:
            raise InputError(f"the batch has no column {', '.join(map(repr, missing))}: {names}")
        if self.score in names:
            raise InputError(f"the batch has a column {self.score!r} already; name another (score)")
        texts = (_values(batch, name) for name in (self.query, self.document))
        pairs = list(zip(*texts, strict=True))
        try:
            found = self._held().score(pairs)
        except EdgeRerankError as error:
            if error.index is not None:
                error.args = (f"row {error.index} of the batch: {error}",)
            raise
        import numpy as np

        scored: Batch = _with_column(batch, self.score, np.array(found, np.float32))
        return scored

    def stream(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Score batches as they come, as Spark's mapInPandas and mapInArrow want."""
        return map(self, batches)

    def __getstate__(self) -> dict[str, object]:
        """Leave the open model behind."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def _held(self) -> SharedModel:
        """Return the model, which stays open as long as this scorer is there."""
        held: SharedModel | None = self.__dict__.get("_kept")
        if held is None:
            held = self.__dict__["_kept"] = self._model()
        return held

    def _model(self) -> SharedModel:
        return SharedModel(
            None if self.path is None else os.fspath(self.path),
            threads=self.threads,
            max_length=self.max_length,
            scores=self.scores,
            long_documents=self.long_documents,
            query_max_tokens=self.query_max_tokens,
        )


def _columns(batch: Any) -> list[str]:
    if isinstance(batch, Mapping):
        return list(batch)
    names = getattr(batch, "column_names", None)  # pyarrow
    if names is None:
        names = getattr(batch, "columns", None)  # pandas, polars
    if names is None:
        raise InputError(
            f"a batch is a {type(batch).__name__}: {shown(batch)}; expected a dict of columns, or "
            "a table of pyarrow, pandas or polars"
        )
    return [str(name) for name in names]


def _values(batch: Any, name: str) -> list[Any]:
    """Return a column as Python's values."""
    column = batch.column(name) if hasattr(batch, "column_names") else batch[name]
    for method in ("to_pylist", "to_list", "tolist"):
        if hasattr(column, method):
            values: list[Any] = getattr(column, method)()
            return values
    return list(column)


def _with_column(batch: Any, name: str, scores: NDArray[np.float32]) -> Any:
    """Return a batch of the same kind; what was given stays as it is."""
    if isinstance(batch, Mapping):
        return {**batch, name: scores}
    if hasattr(batch, "append_column"):
        return batch.append_column(name, sys.modules["pyarrow"].array(scores))
    if hasattr(batch, "with_columns"):
        return batch.with_columns(sys.modules["polars"].Series(name, scores))
    return batch.assign(**{name: scores})
