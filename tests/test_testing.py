"""Golden scores: what was recorded holds, what has moved is named, what is no recording too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from edge_rerank import InputError, Reranker
from edge_rerank.testing import GoldenScores, assert_scores_match

PAIRS = [("how do plants eat", text) for text in ("plants eat light", "steel bridge", "water", "")]
Pairs = Sequence[tuple[str, str]]


@pytest.fixture
def reranker(artifact_path: Path) -> Iterator[Reranker]:
    with Reranker.load(artifact_path) as loaded:
        yield loaded


def by_length(pairs: Pairs) -> list[float]:
    return [float(len(document)) for _, document in pairs]


def test_a_reranker_keeps_its_scores(reranker: Reranker, tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    golden = GoldenScores.record(reranker, iter(PAIRS), file)
    assert golden.pairs == tuple(PAIRS)
    assert golden.scores == tuple(reranker.predict(PAIRS, scores="logits").tolist())
    assert golden.made_with["model"] == "tiny"
    assert golden.made_with["engine"].startswith(reranker.describe().engine)
    assert GoldenScores.read(file) == golden
    assert assert_scores_match(reranker, file, tolerance_sigma=0).max_error == 0
    assert sorted(tmp_path.iterdir()) == [file]


def test_a_file_that_cannot_be_written_is_refused_before_scoring(tmp_path: Path) -> None:
    calls: list[Pairs] = []

    def counted(pairs: Pairs) -> list[float]:
        calls.append(pairs)
        return by_length(pairs)

    for path in (tmp_path, tmp_path / "missing" / "golden.json"):
        with pytest.raises(OSError, match=path.name):
            GoldenScores.record(counted, PAIRS, path)
    assert not calls


def test_two_recordings_of_one_name_do_not_meet(tmp_path: Path) -> None:
    file = tmp_path / "golden.json"

    def meanwhile(pairs: Pairs) -> list[float]:
        GoldenScores.record(
            lambda pairs: [float(len(query + document)) for query, document in pairs], PAIRS, file
        )
        return by_length(pairs)

    GoldenScores.record(meanwhile, PAIRS, file)
    assert_scores_match(by_length, file)
    assert sorted(tmp_path.iterdir()) == [file]


def test_any_pipeline_may_be_held_to_its_scores(tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    GoldenScores.record(by_length, PAIRS, file)
    assert_scores_match(by_length, file)

    def drifted(pairs: Pairs) -> list[float]:
        return [score + 3 * (place == 1) for place, score in enumerate(by_length(pairs))]

    with pytest.raises(AssertionError, match=r"rms 0\.2.* sigma \(at most 0\.02\)") as caught:
        assert_scores_match(drifted, file)
    assert "pair 1: 12 recorded, 15 now: 'how do plants eat' / 'steel bridge'" in str(caught.value)
    assert "pair 0" not in str(caught.value)
    assert assert_scores_match(drifted, file, tolerance_sigma=0.3).kendall_tau == 1
    with pytest.raises(AssertionError, match=r"largest 0\.4855 \(at most 0\.4\)"):
        assert_scores_match(drifted, file, tolerance_sigma=0.3, max_tolerance_sigma=0.4)


def test_scores_that_say_nothing_are_not_recorded(tmp_path: Path) -> None:
    file = tmp_path / "golden.json"
    with pytest.raises(InputError, match="4 pairs have 1 different scores; at least 2"):
        GoldenScores.record(lambda pairs: [1.0] * len(pairs), PAIRS, file)
    with pytest.raises(InputError, match="gave 3 scores for 4 pairs"):
        GoldenScores.record(lambda pairs: by_length(pairs)[1:], PAIRS, file)
    with pytest.raises(InputError, match="pair 0 is 'ab'"):
        GoldenScores.record(by_length, ["ab"], file)  # type: ignore[list-item]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "expected an object"),
        ('{"format_version": 2}', "'format_version' is 2; expected 1"),
        ('{"format_version": 1}', "'pairs' is missing"),
        ('{"format_version": 1, "made_with": {}, "pairs": [{"query": "", "document": ""}]}',
         "pair 0: 'score' is missing"),
    ],
)  # fmt: skip
def test_files_that_are_no_recording(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "golden.json"
    file.write_text(text, "utf-8")
    with pytest.raises(InputError, match=message) as caught:
        assert_scores_match(by_length, file)
    assert str(file) in str(caught.value)
    assert "GoldenScores.record" in str(caught.value)
    with pytest.raises(InputError, match="cannot be read"):
        GoldenScores.read(tmp_path / "nowhere.json")


def test_a_recording_is_plain_json(tmp_path: Path) -> None:
    GoldenScores.record(by_length, [*PAIRS, ("中文", "é")], tmp_path / "golden.json")
    value = json.loads((tmp_path / "golden.json").read_text("utf-8"))
    assert value["pairs"][-1] == {"query": "中文", "document": "é", "score": 1.0}


def test_pytest_is_not_needed() -> None:
    code = "import sys, edge_rerank.testing; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
