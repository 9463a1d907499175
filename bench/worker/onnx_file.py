"""An ONNX file run by ONNX Runtime alone: the leanest way to use what Optimum exports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .batches import BatchedModel

DISTRIBUTIONS = ("onnxruntime", "tokenizers", "numpy")


def open_engine(settings: dict[str, Any]) -> BatchedModel:
    """Open ``file`` in the folder ``model``."""
    import onnxruntime

    folder = Path(settings["model"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings["threads"]
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(folder / settings["file"]), options, providers=["CPUExecutionProvider"]
    )
    known = {field.name for field in session.get_inputs()}

    def run(ids: Any, mask: Any, types: Any) -> Any:
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}
        return session.run(None, {name: array for name, array in feed.items() if name in known})[0]

    tokenizer = folder / "tokenizer.json"
    return BatchedModel(tokenizer, run, order=settings["order"], rows=settings["rows"])
