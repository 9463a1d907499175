"""A segment model read back from its int8 artifact: weights, scores, and what is refused."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("optimum")

from safetensors.torch import load_file  # noqa: E402

from edge_rerank import Reranker  # noqa: E402
from edge_rerank.artifact import load_artifact, load_probes  # noqa: E402
from edge_rerank.errors import ChecksumError  # noqa: E402
from edge_rerank_export.pipeline import ExportOptions, export_model  # noqa: E402
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.from_artifact import reranker_of_artifact  # noqa: E402
from edge_rerank_training.scorers import checkpoint_scorer  # noqa: E402
from edge_rerank_training.segment_run import start_from  # noqa: E402
from tests.support.segments import write_segment_checkpoint  # noqa: E402
from tests.support.tree import ROOT  # noqa: E402

BUILTIN = ROOT / "quantized" / "mini"


def exported(checkpoint: Path, precision: str = "int8", bits: int = 8) -> Path:
    output = checkpoint.with_name(f"{precision}-{bits}")
    options = ExportOptions(precision=precision, license="Apache-2.0", embedding_bits=bits)
    export_model(str(checkpoint), output, options, report=lambda line: None)
    return output


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_segment_checkpoint(tmp_path_factory.mktemp("from-artifact") / "checkpoint")


@pytest.fixture(scope="module")
def artifact(checkpoint: Path) -> Path:
    return exported(checkpoint)


def comparable(weights: dict[str, Any]) -> dict[str, Any]:
    """The weights, each output of a value product at the size that the next product makes of it.

    The exporter moves a factor for each feature from the one to the other, and keeps it nowhere.
    """
    found = dict(weights)
    for name in weights:
        if not name.endswith("value.weight"):
            continue
        layer = name.removesuffix("self.value.weight").removesuffix("value.weight")
        output = f"{layer}output.dense.weight" if "self" in name else f"{layer}output.weight"
        sizes = weights[output].norm(dim=0)
        found[output] = weights[output] / sizes
        found[name] = weights[name] * sizes[:, None]
        bias = name.replace("weight", "bias")
        found[bias] = weights[bias] * sizes
    return found


def test_each_weight_comes_back_but_for_its_rounding(checkpoint: Path, artifact: Path) -> None:
    model = reranker_of_artifact(artifact)
    before = load_file(checkpoint / "model.safetensors")
    assert model.state_dict().keys() == before.keys()
    before["bias"] = before["bias"] + before.pop("correction.classifier.bias")[0]
    before, after = comparable(before), comparable(model.state_dict())
    assert after["correction.classifier.bias"] == 0
    for name, weight in before.items():
        if name.endswith("token_type_embeddings.weight"):
            # Every text is of the first type; the second row is never read.
            assert torch.equal(after[name][0], weight[0])
        elif name.endswith("weight") and weight.ndim == 2 and "position" not in name:
            # int8 rounds to 1/127 of a column's largest; GPTQ moves some to a neighbour.
            assert (after[name] - weight).norm() < 0.03 * weight.norm(), name


def test_the_scores_of_the_built_in_model_come_back(tmp_path: Path) -> None:
    probes = load_probes(load_artifact(BUILTIN))
    pairs = [(probe.query, probe.document) for probe in probes]
    with Reranker.load(BUILTIN, threads=1) as reranker:
        shipped = np.array([result.logit for result in reranker.score(pairs)])
    tokenizer = json.loads((BUILTIN / "tokenizer.json").read_text("utf-8"))
    reranker_of_artifact(BUILTIN).save(tokenizer, tmp_path / "back")
    queries, documents = zip(*pairs, strict=True)
    places = np.repeat(np.arange(len(pairs))[:, None], 2, axis=1)
    found = checkpoint_scorer(tmp_path / "back", "cpu").logits(
        list(queries), list(documents), places, lambda line: None
    )
    error = np.sqrt(np.mean((found - shipped) ** 2))
    # What the activations' rounding takes: 0.007 of the deviation between pairs.
    assert error < 0.02 * shipped.std()


def test_a_sitting_starts_from_an_artifact() -> None:
    tokenizer = json.loads((BUILTIN / "tokenizer.json").read_text("utf-8"))
    model = reranker_of_artifact(BUILTIN)
    with torch.no_grad():
        model.scale.fill_(0.0)
    start_from(model, tokenizer, BUILTIN)
    assert model.scale > 1


def test_what_is_not_such_an_artifact_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    two = write_segment_checkpoint(tmp_path / "two", {"correction_layers": 2})
    for folder, reason in (
        (ROOT / "quantized" / "mini-deberta", "an int8 artifact of the family 'deberta-v2'"),
        (exported(checkpoint, "fp32"), "an fp32 artifact of the family 'segment-bert'"),
        (exported(checkpoint, bits=4), "table of words in 8 bits"),
        (exported(two), "one layer"),
    ):
        with pytest.raises(TrainingError, match=reason):
            reranker_of_artifact(folder)


def test_a_damaged_artifact_is_refused(artifact: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(artifact, tmp_path / "damaged"))
    weights = bytearray((damaged / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (damaged / "model.safetensors").write_bytes(weights)
    with pytest.raises(ChecksumError):
        reranker_of_artifact(damaged)
