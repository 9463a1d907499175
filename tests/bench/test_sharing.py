"""What callers of one engine cost one another, on few calls."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank_bench import sharing


def test_every_figure_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "IDLE", 3)
    monkeypatch.setattr(sharing, "ROUNDS", 2)
    with Reranker.load(engine="native") as reranker:
        lines = list(sharing.Sharing(reranker, 200).measure())
    idle, beside, large, *at_once = lines
    assert re.fullmatch(r"10 passages, idle: p50 .* ms, p99 .* ms, longest .* ms of 3", idle)
    assert beside.startswith("the same beside a call of 200 pairs: p50 ")
    assert int(beside.rpartition(" of ")[2]) >= 1
    assert re.fullmatch(r"that call: .* s alone, .* s beside \d+ small ones", large)
    assert [int(line.split()[0]) for line in at_once] == list(sharing.CALLERS)


def test_a_score_that_company_changes_ends_it() -> None:
    sharing._same(np.array([1.0]), np.array([1.0]))
    with pytest.raises(SystemExit, match="changed with its company"):
        sharing._same(np.array([1.0]), np.array([1.0000001]))
