"""The fp32 reference: the checkpoint in torch, and its ONNX graph as Optimum exports it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .checkpoint import Checkpoint
from .errors import CheckpointError, ExportError
from .quiet import quiet
from .two_logits import make_one
from .weights import read_weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from edge_rerank.pairs import TokenizedBatch

    from .padding import PaddedBatch

_OPSET = 18  # the least that Optimum recommends for all of these families


class TorchReference:
    """The checkpoint as transformers runs it, in float32."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        """Load the model; raises CheckpointError when transformers cannot."""
        layout = checkpoint.layout
        segments = layout.architecture.segments is not None
        self.model: Any = _segment_model(checkpoint) if segments else _of_transformers(checkpoint)
        self.model.eval()
        self._names = layout.names
        if layout.relevant is not None:
            make_one(self.model.get_submodule(layout.names.classifier), layout.relevant)
            self.model.config.num_labels = self.model.num_labels = 1
        self._typed = layout.architecture.token_types > 0

    def logits(self, batch: TokenizedBatch) -> NDArray[np.float32]:
        """Return one logit a pair, each computed alone and without padding."""
        import torch

        results = np.empty(len(batch), np.float32)
        with torch.no_grad():
            for index in range(len(batch)):
                arrays = _feed(batch, index, self._typed)
                feed = {name: torch.from_numpy(array) for name, array in arrays.items()}
                results[index] = self.model(**feed).logits.item()
        return results

    def module(self, product: str) -> Any:
        """Return the nn.Linear that computes a product, ``layers.N.PART``."""
        return self.model.get_submodule(self._names.linear(product))

    def run(self, batch: PaddedBatch) -> Tensor:
        """Return one logit a pair, all pairs of the batch together."""
        import torch

        types = {"token_type_ids": batch.types} if self._typed else {}
        with torch.no_grad():
            logits: Tensor = self.model(
                input_ids=batch.ids, attention_mask=batch.mask.long(), **types
            ).logits
        return logits[:, 0]

    def export(self, path: Path) -> None:
        """Write the model's fp32 graph as Optimum exports it; raises ExportError if it fails."""
        from optimum.exporters.onnx import export
        from optimum.exporters.tasks import TasksManager

        kind = TasksManager.get_exporter_config_constructor(
            "onnx", model=self.model, task="text-classification", library_name="transformers"
        )
        try:
            with quiet():
                export(self.model, kind(self.model.config), path, opset=_OPSET)
        except Exception as error:  # whatever the tracer raises, the user needs to know where
            raise ExportError(f"Optimum cannot export the fp32 graph: {error}") from error


def _of_transformers(checkpoint: Checkpoint) -> Any:
    """Load one of transformers' models, with the modules behind it where the head has such."""
    import transformers

    layout = checkpoint.layout
    try:
        with quiet():
            kind = getattr(transformers, layout.model_class)
            model, found = kind.from_pretrained(
                checkpoint.folder,
                local_files_only=True,
                use_safetensors=True,
                torch_dtype="float32",
                output_loading_info=True,
                **_known(layout.settings, kind.config_class, checkpoint.folder),
            )
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(
            f"{checkpoint.folder}: transformers cannot load it: {error}"
        ) from error
    unread = ("pooler.",) if layout.modules else ()  # the modules stand in for it
    if missing := sorted(key for key in found["missing_keys"] if not key.startswith(unread)):
        raise CheckpointError(
            f"{checkpoint.folder}: transformers does not find the weight {missing[0]}, and "
            "would take random numbers"
        )
    if layout.modules:
        from .modules_reference import ModulesModel

        model = ModulesModel(model, layout, layout.modules)
    return model


def _known(settings: Mapping[str, Any], kind: Any, folder: Path) -> dict[str, Any]:
    """Return the settings that this release's configuration has: the others it reads by itself."""
    if not settings:
        return {}
    config = kind.from_pretrained(folder, local_files_only=True)
    return {name: value for name, value in settings.items() if hasattr(config, name)}


def _segment_model(checkpoint: Checkpoint) -> Any:
    """Load a model that transformers has no class for."""
    import torch

    from .parameters import renamed
    from .segments_reference import SegmentModel

    weights = renamed(read_weights(checkpoint.weight_files), checkpoint.layout)
    model = SegmentModel(checkpoint.config, checkpoint.layout)
    tensors = {name: torch.from_numpy(weight) for name, weight in weights.items()}
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.folder}: torch cannot load it: {error}") from error
    return model


class OnnxReference:
    """An fp32 or int8 graph, run pair by pair without padding."""

    def __init__(self, path: Path) -> None:
        """Open the graph."""
        from edge_rerank.engines.onnx.runtime import import_onnxruntime

        onnxruntime = import_onnxruntime("the exporter measures its graphs with it")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._typed = any(field.name == "token_type_ids" for field in self._session.get_inputs())

    def logits(self, batch: TokenizedBatch) -> NDArray[np.float32]:
        """Return one logit a pair."""
        feeds = (_feed(batch, index, self._typed) for index in range(len(batch)))
        runs = (self._session.run(["logits"], feed)[0] for feed in feeds)
        return np.array([run.item() for run in runs], np.float32)


def _feed(batch: TokenizedBatch, index: int, typed: bool) -> dict[str, NDArray[np.int64]]:
    ids = batch.ids_of(index).astype(np.int64)[None]
    feed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    if typed:
        types = np.zeros_like(ids)
        types[:, batch.first_segments[index] :] = 1
        feed["token_type_ids"] = types
    return feed
