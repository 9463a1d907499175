"""Every command on an artifact of every family, and the C interface's one call."""

from __future__ import annotations

import ctypes
import json
import os
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.cli import main
from edge_rerank.native_library import library_file
from tests.conftest import APART, PROBES, word_tokenizer
from tests.export.conftest import _BERT, _ROBERTA, MODERNBERT, TINY
from tests.support.quick_artifacts import random_model
from tests.support.segments import SEGMENTS

FAMILIES: dict[str, dict[str, Any]] = {
    "deberta-v2": {"model_type": "deberta-v2", **TINY},
    "bert": _BERT,
    "roberta": _ROBERTA | {"model_type": "roberta"},
    "xlm-roberta": _ROBERTA | {"model_type": "xlm-roberta"},
    "modernbert": MODERNBERT,
    "segment-bert": SEGMENTS,
}
LAYERS = {name: config.get("num_hidden_layers") for name, config in FAMILIES.items()}
LAYERS["segment-bert"] = 3  # one of them across
QUERY, DOCUMENTS = "how do plants eat", ["plants eat light", "steel bridge", "water"]


@pytest.fixture(scope="module", params=list(FAMILIES))
def artifact(
    request: pytest.FixtureRequest, tokenizer_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("family") / request.param
    model = random_model(FAMILIES[request.param])
    if request.param == "segment-bert":
        tokenizer_file = folder.with_suffix(".json")
        word_tokenizer(pair=APART).save(str(tokenizer_file))
    return model.write(folder, tokenizer_file, precision="fp32")


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_commands(
    engine: str, artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", str(artifact), "--engine", engine]
    assert main(["rank", QUERY, *DOCUMENTS, "--json", *options]) == 0
    ranked = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    pairs = tmp_path / "pairs.jsonl"
    lines = [json.dumps({"query": query, "document": text}) for query, text in PROBES]
    pairs.write_text("\n".join(lines))
    assert main(["score", str(pairs), *options]) == 0
    scored = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    probes = json.loads((artifact / "probes.json").read_text())["pairs"]
    for line, probe in zip(scored, probes, strict=True):
        assert line["logit"] == pytest.approx(probe["logit"], abs=1e-3)
    assert sorted(line["index"] for line in ranked) == [0, 1, 2]
    assert main(["info", *options]) == 0
    assert f"{artifact.name}, {LAYERS[artifact.name]} layers" in capsys.readouterr().out
    assert main(["verify", *options]) == 0
    assert main(["bench", *options, "--seconds", "1", "--json"]) == 0


def test_the_one_call_of_the_c_interface(
    artifact: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rank", QUERY, *DOCUMENTS, "--json", "--model", str(artifact)]) == 0
    ranked = map(json.loads, capsys.readouterr().out.splitlines())
    by_index = {line["index"]: line["logit"] for line in ranked}
    function = ctypes.CDLL(str(library_file())).edge_rerank_rank
    texts = (ctypes.c_char_p * len(DOCUMENTS))(*(text.encode() for text in DOCUMENTS))
    scores = (ctypes.c_float * len(DOCUMENTS))()
    count = ctypes.c_size_t(len(DOCUMENTS))
    assert function(os.fsencode(artifact), QUERY.encode(), texts, count, scores) == 0
    for index, score in enumerate(scores):
        assert score == pytest.approx(by_index[index], abs=1e-6)
