"""A BERT of 8-bit weights back in float32: names, tables, products and what is missing."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("transformers")

from transformers import BertConfig, BertModel  # noqa: E402

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


def written(folder: Path, *, prefix: str = "", without: str = "") -> BertModel:
    """Write a model as ONNX Runtime's quantisation names its parts; return it in float32."""
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SIZES), add_pooling_layer=False).eval()
    stored: dict[str, Any] = {}
    nodes = []
    weights = {}
    for number, (name, weight) in enumerate(model.state_dict().items()):
        weights[name] = weight
        product = name.startswith("encoder.") and name.endswith(".weight") and weight.ndim == 2
        if name == without:
            continue
        if not product and "_embeddings.weight" not in name:
            stored[prefix + name] = weight.numpy()
            continue
        scale = weight.abs().max().item() / 100
        codes = np.clip(np.rint(weight.numpy() / scale), -100, 100).astype(np.int8)
        weights[name] = torch.from_numpy(codes.astype(np.float32) * np.float32(scale))
        base = f"onnx::MatMul_{number}" if product else prefix + name
        rows = codes.T if product else codes
        stored[f"{base}_quantized"] = (rows + ZERO).astype(np.int8)
        stored[f"{base}_scale"] = np.float32(scale)
        stored[f"{base}_zero_point"] = np.int8(ZERO)
        if product:
            layer, rest = name.removesuffix(".weight").split("layer.")[1].split(".", 1)
            path = f"/{prefix}encoder/layer.{layer}/{rest.replace('.', '/')}"
            path = path.replace("/bert.", "/bert/")
            inputs = ["rows", f"{base}_quantized", "rows_zero_point", f"{base}_zero_point"]
            output = f"{path}/MatMul_output_0_output_quantized"
            nodes.append(onnx.helper.make_node("MatMulInteger", inputs, [output]))
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
