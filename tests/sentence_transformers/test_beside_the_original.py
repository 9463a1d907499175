"""The drop-in beside sentence-transformers itself: its class, its evaluators, and mteb's mock run.

The original reads a tiny checkpoint, ours the fp32 artifact that the exporter makes of it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.checkpoints import write_tiny_checkpoint
from tests.support.clients import environment, run
from tests.support.tree import ROOT

pytestmark = pytest.mark.slow

_HEAD = """
import sys
import numpy, torch
from sentence_transformers import CrossEncoder as Original
from edge_rerank.sentence_transformers import CrossEncoder
QUERY, DOCUMENTS = "how do plants eat", ["plants eat light", "steel bridge", "", "a river flows"]
PAIRS = [[QUERY, document] for document in DOCUMENTS]
"""
_SAME = """
original, ours = Original(sys.argv[1], device="cpu"), CrossEncoder(sys.argv[2])
calls = [
    lambda m: m.predict(PAIRS),
    lambda m: m.predict([tuple(pair) for pair in PAIRS], batch_size=2, show_progress_bar=False),
    lambda m: m.predict(numpy.array(PAIRS)),
    lambda m: m.predict(PAIRS[0]),
    lambda m: m.predict(numpy.array(PAIRS[0])),
    lambda m: m.predict([]),
    lambda m: m.predict(PAIRS, convert_to_tensor=True),
    lambda m: m.predict(PAIRS[1], convert_to_tensor=True),
    lambda m: m.predict([], convert_to_tensor=True),
    lambda m: m.predict(PAIRS, convert_to_numpy=False),
    lambda m: m.predict(PAIRS[1], convert_to_numpy=False),
    lambda m: m.predict([], convert_to_numpy=False),
    lambda m: m.predict(PAIRS, apply_softmax=True),
    lambda m: m.predict(PAIRS, activation_fn=torch.nn.Identity()),
    lambda m: m.predict(PAIRS, activation_fn=torch.nn.Tanh()),
    lambda m: m.predict(PAIRS, activation_fn=lambda scores: scores * 2 + 1),
    lambda m: m.predict(PAIRS, prompt="in the river: "),
    lambda m: m.predict(PAIRS, processing_kwargs={"text": {"max_length": 8, "truncation": True}}),
    lambda m: m.rank(QUERY, DOCUMENTS),
    lambda m: m.rank(QUERY, DOCUMENTS, top_k=2, return_documents=True),
    lambda m: m.rank(QUERY, []),
    lambda m: m.rank(QUERY, DOCUMENTS, activation_fn=torch.nn.Identity(), prompt="light "),
    lambda m: [m.is_singular_input(one) for one in (PAIRS, PAIRS[0], [], "a", numpy.array(PAIRS))],
    lambda m: (m.num_labels, m.config.num_labels, type(m.activation_fn).__name__, m.modalities),
    lambda m: m.device,
]

def shape(value):
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items() if key != "score"}
    if isinstance(value, (list, tuple)):
        return [shape(one) for one in value]
    return type(value).__name__, getattr(value, "dtype", None), getattr(value, "shape", None)

def numbers(value):
    if isinstance(value, dict):
        return [value["score"], value["corpus_id"]]
    if isinstance(value, (list, tuple)):
        return [number for one in value for number in numbers(one)]
    if isinstance(value, (str, torch.device)):
        return []
    return numpy.asarray(value, float).reshape(-1).tolist()

for place, call in enumerate(calls):
    theirs, mine = call(original), call(ours)
    assert shape(theirs) == shape(mine), (place, theirs, mine)
    assert numpy.allclose(numbers(theirs), numbers(mine), atol=1e-4), (place, theirs, mine)
for call in (
    lambda m: m.predict(PAIRS, batch_size=0),
    lambda m: m.predict(PAIRS, prompt_name="x"),
):
    for model in (original, ours):
        try:
            call(model)
            raise SystemExit("was not refused")
        except ValueError:
            pass
print("same")
"""
_EVALUATORS = """
from sentence_transformers.cross_encoder.evaluation import (
    CrossEncoderClassificationEvaluator, CrossEncoderCorrelationEvaluator,
    CrossEncoderRerankingEvaluator,
)
original, ours = Original(sys.argv[1], device="cpu"), CrossEncoder(sys.argv[2])
samples = [
    {"query": QUERY, "positive": [DOCUMENTS[0]], "negative": DOCUMENTS[1:]},
    {"query": "steel", "positive": [DOCUMENTS[1]], "documents": DOCUMENTS},
]
evaluators = [
    CrossEncoderRerankingEvaluator(samples[:1], write_csv=False),
    CrossEncoderRerankingEvaluator(samples[1:], write_csv=False),
    CrossEncoderClassificationEvaluator(PAIRS, [1, 0, 0, 1], write_csv=False),
    CrossEncoderCorrelationEvaluator(PAIRS, [0.9, 0.1, 0.0, 0.5], write_csv=False),
]
for evaluator in evaluators:
    theirs, mine = evaluator(original), ours.evaluate(evaluator)
    assert theirs.keys() == mine.keys() and theirs, (theirs, mine)
    assert numpy.allclose(list(theirs.values()), list(mine.values()), atol=1e-4), (theirs, mine)
print("same")
"""

_MTEB = """
import mteb
from edge_rerank.mteb import MtebReranker
found = mteb.mock_run(MtebReranker(threads=1)).task_results
done = {name for name, value in found.items() if type(value).__name__ == "TaskResult"}
failed = {name: str(value) for name, value in found.items() if type(value).__name__ == "TaskError"}
# Full retrieval is for no cross-encoder; each of these says so.
assert all("requires top_ranked documents" in text for text in failed.values()), failed
print(sorted(done))
"""


@pytest.fixture(scope="session")
def python() -> Path:
    return environment("sentence-transformers==6.2.0", "datasets>=4", borrow=True)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    export = pytest.importorskip("edge_rerank_export")
    folder = tmp_path_factory.mktemp("models")
    write_tiny_checkpoint(folder / "checkpoint")
    tokens = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "sep", "pad", "unk")}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 96, **tokens}
    (folder / "checkpoint" / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    export.export_model(
        str(folder / "checkpoint"), folder / "model", export.ExportOptions(precision="fp32")
    )
    return str(folder / "checkpoint"), str(folder / "model")


@pytest.mark.parametrize("program", [_SAME, _EVALUATORS], ids=["calls", "evaluators"])
def test_the_same_as_the_original(python: Path, models: tuple[str, str], program: str) -> None:
    said = run(python, _HEAD + program, *models, PYTHONPATH=str(ROOT))
    assert said.splitlines()[-1] == "same"


def test_mteb_s_mock_run() -> None:
    python = environment(
        "sentence-transformers==6.2.0", "datasets>=4", "mteb==2.26.24", borrow=True
    )
    said = run(python, _MTEB, PYTHONPATH=str(ROOT))
    assert "MockRerankingTask" in said.splitlines()[-1]
    assert "MockInstructionReranking" in said.splitlines()[-1]
