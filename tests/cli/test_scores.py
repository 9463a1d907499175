"""What a score is, and what is before queries, is the artifact's to say, with every command."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from edge_rerank import Reranker
from edge_rerank.cli import main
from tests.support.scoring_ways import PROMPT, write_other

QUERY, DOCUMENTS = "how do plants eat", ["Plants make sugar from light.", "Steel is an alloy."]


@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_every_command_takes_the_artifacts_scores_and_prompt(
    activation: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(write_other(tmp_path / "model", activation=activation))
    act = {"identity": lambda x: x, "tanh": math.tanh}[activation]
    with Reranker.load() as plain:
        logits = [plain.predict([(PROMPT + QUERY, text)], scores="logits")[0] for text in DOCUMENTS]
        others = [plain.predict([(QUERY, text)], scores="logits")[0] for text in DOCUMENTS]
    assert logits != others
    for engine in ("native", "onnxruntime"):
        near = 0.0 if engine == "native" else 0.3
        options = ["--model", model, "--engine", engine]
        assert main(["rank", QUERY, *DOCUMENTS, "--json", *options]) == 0
        ranked = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        pairs = tmp_path / "pairs.jsonl"
        lines = [json.dumps({"query": QUERY, "document": text}) for text in DOCUMENTS]
        pairs.write_text("\n".join(lines))
        assert main(["score", str(pairs), *options]) == 0
        scored = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert main(["score", str(pairs), "--logits", *options]) == 0
        raw = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        by_rank = {one["index"]: one for one in ranked}
        for index, logit in enumerate(logits):
            for one in (by_rank[index], scored[index], raw[index]):
                assert one["logit"] == pytest.approx(logit, abs=near)
            for one in (by_rank[index], scored[index]):
                assert one["score"] == pytest.approx(act(one["logit"]), rel=1e-6)
            assert raw[index]["score"] == raw[index]["logit"]
    assert main(["info", model]) == 0
    printed = capsys.readouterr().out
    assert json.dumps(PROMPT) in printed
    assert ("logits" if activation == "identity" else "tanh") in printed
