"""A model for mteb's evaluations: its protocol for cross-encoders.

import mteb
from edge_rerank.mteb import MtebReranker

mteb.evaluate(MtebReranker("my-model"), mteb.get_tasks(["AskUbuntuDupQuestions"]))
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edge_rerank.adapters import SharedModel
from edge_rerank.sentence_transformers.keywords import check_device

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Batches = Iterable[Mapping[str, Sequence[str]]]


class MtebReranker:
    """Scores mteb's batches of texts; nothing of mteb is imported before it asks."""

    def __init__(
        self,
        model_name: str | os.PathLike[str] | None = None,
        revision: str | None = None,
        device: str | None = None,
        **settings: Any,
    ) -> None:
        """Take a model's folder; ``settings`` are those of :class:`SharedModel`.

        ``revision`` says nothing here: the folder is one.
        """
        check_device(device)
        path = None if model_name is None else os.fspath(model_name)
        self._model = SharedModel(path, **settings)

    @property
    def mteb_model_meta(self) -> Any:
        """What mteb writes into its results."""
        manifest = self._model.reranker.artifact.manifest
        values = {
            "name": f"edge-rerank/{manifest.name}",
            "revision": manifest.source.checkpoint_sha256,
            "max_tokens": self._model.reranker.max_length,
            "is_cross_encoder": True,
        }
        meta = import_module("mteb.models").ModelMeta
        known = {name: value for name, value in values.items() if name in meta.model_fields}
        return meta.create_empty(overwrites=known)

    def predict(
        self, inputs1: Batches, inputs2: Batches, *, task_metadata: Any = None, **others: Any
    ) -> NDArray[np.float32]:
        """Return a score for each pair of texts; what else mteb says changes no score."""
        import numpy as np

        pairs = list(zip(_texts(inputs1), _texts(inputs2), strict=True))
        return np.array(self._model.score(pairs), np.float32)


def _texts(batches: Batches) -> Iterable[str]:
    return (text for batch in batches for text in batch["text"])
