"""Artifacts of random weights in seconds: without Optimum's graph, calibration or a checkpoint.

The graph is the one that int8 artifacts have, in float32 where that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_rerank.artifact.folder import Probe
from edge_rerank.tokenizing.choose import PairTokenizer
from tests.conftest import PROBES
from tests.support.batches import Row, batch_of, rows_of
from tests.support.segments import random_segment_model


@dataclass(frozen=True)
class RandomModel:
    """A model in torch, and what the exporter makes of its configuration."""

    model: Any
    layout: Any
    config: dict[str, Any]

    def logits(self, rows: list[Row]) -> Any:
        """Return torch's logits, pair by pair."""
        import torch

        typed, found = self.layout.architecture.token_types > 0, []
        for row in rows:
            ids = torch.tensor(row.ids)[None]
            types = (torch.arange(len(row.ids)) >= row.first).long()[None]
            with torch.no_grad():
                feed = {"token_type_ids": types} if typed else {}
                found.append(self.model(input_ids=ids, **feed).logits.item())
        return np.array(found, np.float32)

    def write(
        self, folder: Path, tokenizer: Path, *, precision: str, embedding_bits: int = 8
    ) -> Path:
        """Write an artifact; int8 weights are rounded to the nearest, without statistics."""
        from edge_rerank.artifact.folder import write_manifest, write_probes
        from edge_rerank.artifact.manifest import Manifest, Source
        from edge_rerank_export.int8 import write_graph
        from edge_rerank_export.parameters import collect_parameters
        from edge_rerank_export.quantize import WORDS, quantize_parameters, with_four_bits

        shape, length = self.layout.architecture, self.layout.longest
        weights = {name: value.numpy() for name, value in self.model.state_dict().items()}
        tensors = collect_parameters(weights, self.layout, length)
        words = tensors[f"{WORDS}.weight"]
        if precision == "int8":
            tensors = quantize_parameters(tensors, shape)
        if embedding_bits == 4:
            tensors = with_four_bits(tensors, words)
        folder.mkdir()
        write_graph(folder, tensors, shape, length)
        (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
        (folder / "config.json").write_text(json.dumps(self.config))
        write_probes(folder, tuple(self._probes(tokenizer)))
        manifest = Manifest(
            name=folder.name, source=Source("random", None, "0" * 64), license=None,
            precision=precision, max_length=length, architecture=shape, quantization=None,
            tools={}, parity={}, embedding_bits=embedding_bits if precision == "int8" else None,
        )  # fmt: skip
        write_manifest(folder, manifest)
        return folder

    def _probes(self, tokenizer: Path) -> Iterator[Probe]:
        pairs = PairTokenizer(tokenizer, max_length=self.layout.longest).encode(PROBES)
        logits = self.logits(rows_of(pairs)).tolist()
        yield from (Probe(*pair, logit) for pair, logit in zip(PROBES, logits, strict=True))


def random_model(members: dict[str, Any], seed: int = 0) -> RandomModel:
    """Make a model whose attention is not flat, as ``write_random_checkpoint`` does."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification

    from edge_rerank_export.families import read_layout

    torch.manual_seed(seed)
    config = {"num_labels": 1, "initializer_range": members["hidden_size"] ** -0.5, **members}
    layout = read_layout(config, "config.json")
    if layout.architecture.segments:
        return RandomModel(random_segment_model(config, layout, seed), layout, config)
    settings = AutoConfig.for_model(**config)
    model: Any = AutoModelForSequenceClassification.from_config(settings).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("bias"):
                weight.normal_(0.0, 0.1)
    return RandomModel(model, layout, config)


def random_pairs(lengths: list[int], vocabulary: int, seed: int = 1) -> list[Row]:
    """Return pairs of these lengths; no id is the padding's."""
    rng = np.random.default_rng(seed)
    return [
        Row(tuple(rng.integers(4, vocabulary, length).tolist()), max(2, length // 3))
        for length in lengths
    ]


def batch(rows: list[Row]) -> Any:
    """Return pairs as engines read them."""
    return batch_of(rows)
