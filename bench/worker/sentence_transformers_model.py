"""sentence-transformers' CrossEncoder, with torch or with its ONNX backend."""

from __future__ import annotations

from typing import Any

from .batches import MAX_LENGTH

DISTRIBUTIONS = ("sentence-transformers", "transformers", "torch", "optimum", "onnxruntime")


class CrossEncoderModel:
    """A CrossEncoder; it sorts texts by length and takes batches of 32 by itself."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Load it."""
        import torch
        from sentence_transformers import CrossEncoder

        torch.set_num_threads(settings["threads"])
        options: dict[str, Any] = {}
        if settings["backend"] == "onnx":
            import onnxruntime

            session = onnxruntime.SessionOptions()
            session.intra_op_num_threads = settings["threads"]
            session.log_severity_level = 3
            options = {"file_name": settings["file"], "session_options": session}
            options["provider"] = "CPUExecutionProvider"
        self._model = CrossEncoder(
            settings["model"],
            device="cpu",
            max_length=MAX_LENGTH,
            backend=settings["backend"],
            model_kwargs=options,
        )
        self._as_is = torch.nn.Identity()

    def score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """Return the logits."""
        found = self._model.predict(pairs, activation_fn=self._as_is, show_progress_bar=False)
        return [float(logit) for logit in found]

    def facts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def open_engine(settings: dict[str, Any]) -> CrossEncoderModel:
    """Load the folder ``model`` with ``backend``."""
    return CrossEncoderModel(settings)
