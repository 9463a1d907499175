"""fastembed's TextCrossEncoder with a custom model: an ONNX file of Optimum's."""

from __future__ import annotations

from typing import Any

DISTRIBUTIONS = ("fastembed", "onnxruntime", "tokenizers")


class FastembedModel:
    """A TextCrossEncoder; it takes batches of 64 in arrival order by itself."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Register the model under a name and load it from the folder."""
        from fastembed.common.model_description import ModelSource
        from fastembed.rerank.cross_encoder import TextCrossEncoder

        source = ModelSource(hf="edge-rerank/benchmark")  # a name it asks for; nothing is fetched
        TextCrossEncoder.add_custom_model(
            model=source.hf, sources=source, model_file=settings["file"]
        )
        self._model = TextCrossEncoder(
            source.hf, threads=settings["threads"], specific_model_path=settings["model"]
        )

    def score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """Return the logits."""
        return [float(logit) for logit in self._model.rerank_pairs(pairs)]

    def facts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def open_engine(settings: dict[str, Any]) -> FastembedModel:
    """Load ``file`` of the folder ``model``."""
    return FastembedModel(settings)
