"""A BERT of 8-bit weights back in float32: names, tables, products and what is missing."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("transformers")

from transformers import BertConfig, BertForSequenceClassification, BertModel  # noqa: E402

from edge_rerank_training.dequantised import dequantised_bert  # noqa: E402
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.second_teacher import in_torch  # noqa: E402

SIZES = {
    "vocab_size": 20,
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 10,
}
ZERO = 3


def written(folder: Path, *, prefix: str = "", without: str = "", head: bool = False) -> Any:
    """Write a model as ONNX Runtime's quantisation names its parts; return it in float32.

    head: a BERT with a pooler and a classifier, whose products are Gemm nodes.
    """
    torch.manual_seed(0)
    config = BertConfig(**SIZES, num_labels=1)
    model = BertForSequenceClassification(config) if head else BertModel(config, False)
    model.eval()
    stored: dict[str, Any] = {}
    nodes = []
    weights = {}
    for number, (name, weight) in enumerate(model.state_dict().items()):
        weights[name] = weight
        product = name.endswith(".weight") and weight.ndim == 2 and "_embeddings" not in name
        if name == without:
            continue
        if not product and "_embeddings.weight" not in name:
            stored[prefix + name] = weight.numpy()
            continue
        scale = weight.abs().max().item() / 100
        codes = np.clip(np.rint(weight.numpy() / scale), -100, 100).astype(np.int8)
        weights[name] = torch.from_numpy(codes.astype(np.float32) * np.float32(scale))
        gemm = product and "encoder." not in name
        base = f"onnx::MatMul_{number}" if product and not gemm else prefix + name
        rows = codes.T if product else codes
        stored[f"{base}_quantized"] = (rows + ZERO).astype(np.int8)
        stored[f"{base}_scale"] = np.float32(scale)
        stored[f"{base}_zero_point"] = np.int8(ZERO)
        if product:
            path = "/" + re.sub(r"\.(?!\d)", "/", prefix + name.removesuffix(".weight"))
            inputs = ["rows", f"{base}_quantized", "rows_zero_point", f"{base}_zero_point"]
            end = "Gemm_output_0_MatMul_output_quantized" if gemm else "MatMul_output_0_quantized"
            nodes.append(onnx.helper.make_node("MatMulInteger", inputs, [f"{path}/{end}"]))
    model.load_state_dict(weights)
    parts = [onnx.numpy_helper.from_array(np.asarray(row), name) for name, row in stored.items()]
    graph = onnx.helper.make_graph(nodes, "bert", [], [], parts)
    folder.mkdir()
    onnx.save(onnx.helper.make_model(graph), str(folder / "model.onnx"))
    (folder / "config.json").write_text(json.dumps(SIZES), "utf-8")
    return model


@pytest.mark.parametrize("prefix", ["", "bert."])
def test_a_quantised_file_is_the_model_of_its_weights(prefix: str, tmp_path: Path) -> None:
    model = written(tmp_path / "teacher", prefix=prefix)
    found = dequantised_bert(tmp_path / "teacher")
    for name, value in model.state_dict().items():
        np.testing.assert_allclose(found.state_dict()[name], value, rtol=1e-6, err_msg=name)


def test_the_first_tokens_states_are_what_the_teacher_gives(tmp_path: Path) -> None:
    model = written(tmp_path / "teacher")
    ids = np.array([[1, 5, 6, 2], [1, 7, 2, 0]])
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    found = in_torch(tmp_path / "teacher", "cpu")(ids, mask)
    with torch.no_grad():
        alone = model(torch.tensor([[1, 7, 2]])).last_hidden_state[0, 0]
    assert found.shape == (2, 8)
    np.testing.assert_allclose(found[1], alone, atol=1e-5)


def test_weights_that_are_missing_are_named(tmp_path: Path) -> None:
    name = "encoder.layer.1.output.dense.bias"
    written(tmp_path / "teacher", without=name)
    with pytest.raises(TrainingError, match=f"teacher/model.onnx has no weights for {name}"):
        dequantised_bert(tmp_path / "teacher")
