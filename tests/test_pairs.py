"""The seam of arrays between tokenizers and engines."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from edge_rerank import InputError
from edge_rerank.pairs import TokenizedBatch, check_text
from tests.support.batches import Row, batch_of, rows_of

ROWS = [Row((1, 5, 2), 2, True), Row((1, 2)), Row((1, 7, 8, 9, 2), 3)]


def arrays(**changed: Any) -> dict[str, Any]:
    batch = batch_of(ROWS)
    names = ("ids", "offsets", "first_segments", "truncated")
    return {**{name: getattr(batch, name) for name in names}, **changed}


def test_it_is_arrays_of_the_c_interface_s_types_and_frozen() -> None:
    batch = batch_of(ROWS)
    kinds: list[Any] = [batch.ids, batch.offsets, batch.first_segments, batch.truncated]
    assert [kind.dtype for kind in kinds] == [np.int32, np.int64, np.int32, np.bool_]
    assert len(batch) == 3
    assert batch.lengths.tolist() == [3, 2, 5]
    with pytest.raises(FrozenInstanceError):
        batch.ids = np.empty(0, np.int32)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ids": np.zeros(10, np.int64)}, r"ids is int64 .* expected contiguous int32 .*\(10,\)"),
        ({"ids": np.zeros(9, np.int32)}, r"ids is int32 of shape \(9,\)"),
        ({"ids": np.zeros(20, np.int32)[::2]}, "not contiguous"),
        ({"ids": np.zeros((10, 1), np.int32)}, r"shape \(10, 1\)"),
        ({"first_segments": np.zeros(2, np.int32)}, "first_segments is int32"),
        ({"truncated": np.zeros(3, np.uint8)}, "truncated is uint8"),
        ({"offsets": np.array([0, 3, 5, 10], np.int32)}, "offsets is int32"),
        ({"offsets": np.array([1, 3, 5, 10])}, "begin with 0"),
        ({"offsets": np.array([0, 5, 3, 10])}, "never fall"),
        ({"offsets": np.array([], np.int64)}, "offsets is int64 of shape"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TokenizedBatch(**arrays(**changed))


def test_parts_are_views() -> None:
    batch = batch_of(ROWS)
    assert rows_of(batch.part(1, 3)) == ROWS[1:]
    assert rows_of(batch.part(2, 2)) == []
    assert np.shares_memory(batch.part(1, 3).ids, batch.ids)
    assert np.shares_memory(batch.ids_of(2), batch.ids)


def test_pairs_are_taken_in_any_order() -> None:
    batch = batch_of(ROWS)
    for places in ([], [2, 0], [1, 1, 0, 2], [0, 1, 2]):
        assert rows_of(batch.take(places)) == [ROWS[place] for place in places]


def test_texts_are_checked_without_encoding_them() -> None:
    class Counted(str):
        __slots__ = ()

        def encode(self, *arguments: Any) -> bytes:
            raise AssertionError("encoded")

    for text in ("plain", "größe 中文 😀", ""):
        check_text(Counted(text), "it")
    for text in ("x\ud800", "\udfff", "中\udbff\udc00"):
        with pytest.raises(InputError, match="lone surrogate"):
            check_text(Counted(text), "it")
