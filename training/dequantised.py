"""A BERT of 8-bit weights, as ONNX Runtime quantises it, back in float32 for transformers.

Each product of such a file is a MatMulInteger whose weights are bytes with a scale and a zero
point; what has no product of its own keeps the name that torch gave it.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from transformers import BertConfig, BertModel

from .errors import TrainingError

QUANTISED, UNNAMED = "_quantized", "onnx::"


def dequantised_bert(folder: Path) -> BertModel:
    """The encoder of ``config.json`` and ``model.onnx``, without a pooler."""
    config = BertConfig.from_dict(json.loads((folder / "config.json").read_text("utf-8")))
    model = BertModel(config, add_pooling_layer=False)
    found = dequantised_weights(folder / "model.onnx")
    weights = {name.removeprefix("bert."): torch.from_numpy(row) for name, row in found.items()}
    wanted = model.state_dict()
    if lacking := [n for n in wanted if n not in weights and not n.endswith("_ids")]:
        raise TrainingError(f"{folder.name}/model.onnx has no weights for {lacking[0]}")
    model.load_state_dict({n: weights[n] for n in wanted if n in weights}, strict=False)
    return model.eval()


def dequantised_weights(file: Path) -> dict[str, np.ndarray]:
    """All weights in float32, by torch's names: that of a product comes from the node's."""
    graph = onnx.load(str(file)).graph
    stored = {one.name: numpy_helper.to_array(one).copy() for one in graph.initializer}
    weights = {name: row for name, row in stored.items() if row.dtype == np.float32}
    products = {node.input[1]: node for node in graph.node if node.op_type == "MatMulInteger"}
    for stored_name in [name for name in stored if name.endswith(QUANTISED)]:
        base = stored_name.removesuffix(QUANTISED)
        zero = stored[f"{base}_zero_point"].astype(np.float32)
        rows = (stored[stored_name].astype(np.float32) - zero) * stored[f"{base}_scale"]
        if stored_name not in products:  # a table
            weights[base] = rows
            continue
        output = products[stored_name].output[0]
        name = output.removeprefix("/").split("/MatMul")[0].replace("/", ".") + ".weight"
        if not base.startswith(UNNAMED):
            name = base  # a Gemm, such as a head's
        # torch keeps a product's weights [outputs, inputs].
        weights[name] = np.ascontiguousarray(rows.T)
    return weights
