"""An OpenVINO model run by OpenVINO alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .batches import BatchedModel

DISTRIBUTIONS = ("openvino", "nncf", "tokenizers", "numpy")


def open_engine(settings: dict[str, Any]) -> BatchedModel:
    """Compile ``model.xml`` of the folder ``model`` for products in ``precision``.

    A precision of None leaves the choice to OpenVINO: bf16 where the CPU has it.
    """
    import openvino

    folder = Path(settings["model"])
    config = {"INFERENCE_NUM_THREADS": settings["threads"], "PERFORMANCE_HINT": "LATENCY"}
    if settings["precision"] is not None:
        config["INFERENCE_PRECISION_HINT"] = settings["precision"]
    core = openvino.Core()
    compiled = core.compile_model(str(folder / "model.xml"), "CPU", config)
    chosen = str(compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name())
    if settings["precision"] not in (None, chosen):
        raise RuntimeError(f"asked for {settings['precision']}, and OpenVINO takes {chosen} here")

    count = len(compiled.inputs)  # with or without token types

    def run(*inputs: Any) -> Any:
        return compiled(list(inputs[:count]))[0]

    tokenizer = folder / "tokenizer.json"
    return BatchedModel(tokenizer, run, order=settings["order"], rows=settings["rows"])
