"""Runs a checkpoint with OpenVINO; started by throughput.py with another environment's Python.

Run: python openvino_worker.py CHECKPOINT FEEDS.npz THREADS

Needs openvino, nncf, torch and transformers, and nothing of this project. It converts the torch
module, because OpenVINO cannot run the If nodes of the exported ONNX file, and quantises it with
NNCF's transformer preset. After a line ``ready VERSIONS`` it reads names (``int8``, ``fp32``) from
its input and answers each with the seconds that all batches took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

Feeds = list[tuple[Any, Any]]


def main() -> None:
    """Prepare both models, then run one for every line of the input."""
    checkpoint, feeds_file, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    with np.load(feeds_file) as arrays:
        count = len(arrays.files) // 2
        feeds = [(arrays[f"ids{i}"], arrays[f"mask{i}"]) for i in range(count)]
    models, versions = _compile(checkpoint, feeds, threads)
    print("ready", versions, flush=True)
    for line in sys.stdin:
        model = models[line.strip()]
        start = time.perf_counter()
        for ids, mask in feeds:
            model([ids, mask])
        print(time.perf_counter() - start, flush=True)


def _compile(checkpoint: str, feeds: Feeds, threads: int) -> tuple[dict[str, Any], str]:
    import nncf
    import openvino

    core = openvino.Core()
    with tempfile.TemporaryDirectory() as scratch:
        float_model = _convert(checkpoint, core, Path(scratch))
        samples = [[ids[:4], mask[:4]] for ids, mask in feeds]
        quantised = nncf.quantize(
            float_model,
            nncf.Dataset(samples),
            model_type=nncf.ModelType.TRANSFORMER,
            subset_size=len(samples),
        )
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        exact = settings | {"INFERENCE_PRECISION_HINT": "f32"}
        models = {
            "int8": core.compile_model(quantised, "CPU", settings),
            "fp32": core.compile_model(float_model, "CPU", exact),
        }
    return models, f"openvino {openvino.__version__}, nncf {nncf.__version__}"


def _convert(checkpoint: str, core: Any, scratch: Path) -> Any:
    import openvino
    import torch
    from transformers import DebertaV2ForSequenceClassification

    model = DebertaV2ForSequenceClassification.from_pretrained(checkpoint).eval()
    model.config.return_dict = False
    example = {
        "input_ids": torch.randint(5, 100, (2, 32)),
        "attention_mask": torch.ones(2, 32, dtype=torch.int64),
    }
    shape = openvino.PartialShape([-1, -1])
    converted = openvino.convert_model(model, example_input=example, input=[shape, shape])
    # NNCF looks nodes up by names that are only unique in a model that was written and read.
    openvino.save_model(converted, scratch / "model.xml", compress_to_fp16=False)
    reread = core.read_model(scratch / "model.xml")
    for number, node in enumerate(reread.get_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    return reread


if __name__ == "__main__":
    main()
