"""A model that reads the two texts of a pair apart, in torch: both lie side by side in one batch.

Tokens look at those of their own text alone, and positions begin anew, so the first layers compute
what they would for each text by itself. ``token_type_ids`` tell the texts apart and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from .families import Layout


class _Correction(nn.Module):
    """What the layers across lead to; those are in the encoder's list, as its last ones."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.pooler, self.classifier = nn.Linear(size, size), nn.Linear(size, 1)


class SegmentModel(nn.Module):
    """Gives logits as transformers' models do, under the names of weights that ``Layout`` has."""

    def __init__(self, config: Mapping[str, Any], layout: Layout) -> None:
        """Build it with random weights; ``config`` is the checkpoint's."""
        super().__init__()
        architecture = layout.architecture
        members = {name: value for name, value in config.items() if name != "model_type"}
        members |= {"num_hidden_layers": architecture.layers, "attn_implementation": "eager"}
        settings = BertConfig.from_dict(members)
        self.encoder = BertModel(settings, add_pooling_layer=False)
        self.correction = _Correction(architecture.hidden_size)
        self.scale, self.bias = (nn.Parameter(torch.zeros(())) for _ in range(2))
        self._encoding = architecture.encoding_layers
        for number in range(self._encoding, architecture.layers):
            layer = self.encoder.encoder.layer[number]
            for part in (layer.attention.output, layer.output):
                part.LayerNorm.eps = architecture.epsilon_of(number)
        self._heads = architecture.heads

    def forward(
        self, input_ids: Tensor, token_type_ids: Tensor, attention_mask: Tensor | None = None
    ) -> SimpleNamespace:
        """Return the logits, ``[pairs, 1]``."""
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        texts = [real.bool() & (token_type_ids == number) for number in range(2)]
        states = self._encoded(input_ids, token_type_ids, texts)
        query, passage = (_mean(states, text) for text in texts)
        rows = states
        for layer in self.encoder.encoder.layer[self._encoding :]:
            rows = self._across(layer, rows, states, texts[1])
        pooled = torch.tanh(self.correction.pooler(_mean(rows, texts[0])))
        cosine = functional.cosine_similarity(query, passage)[:, None]
        logits = self.scale * cosine + self.bias + self.correction.classifier(pooled)
        return SimpleNamespace(logits=logits)

    def _encoded(self, ids: Tensor, types: Tensor, texts: list[Tensor]) -> Tensor:
        before = texts[0].sum(1, keepdim=True) * types
        positions = (torch.arange(ids.shape[1], device=ids.device) - before).clamp(min=0)
        states = self.encoder.embeddings(
            input_ids=ids, token_type_ids=torch.zeros_like(ids), position_ids=positions
        )
        own = types[:, :, None] == types[:, None, :]
        hidden = ~(own & (texts[0] | texts[1])[:, None, :])
        bias = hidden[:, None] * torch.finfo(states.dtype).min
        for layer in self.encoder.encoder.layer[: self._encoding]:
            given = layer(states, bias)
            # A tuple in transformers 4; in 5 the states alone, whose first row [0] would be.
            states = given[0] if isinstance(given, tuple) else given
        found: Tensor = states
        return found

    def _across(self, layer: Any, rows: Tensor, states: Tensor, seen: Tensor) -> Tensor:
        """Compute it for all rows of the pair; those of the query are of use."""
        attention = layer.attention
        context = functional.scaled_dot_product_attention(
            self._by_head(attention.self.query(rows)),
            self._by_head(attention.self.key(states)),
            self._by_head(attention.self.value(states)),
            attn_mask=seen[:, None, None, :],
        )
        rows = attention.output(context.transpose(1, 2).flatten(2), rows)
        found: Tensor = layer.output(layer.intermediate(rows), rows)
        return found

    def _by_head(self, rows: Tensor) -> Tensor:
        pairs, length, _ = rows.shape
        return rows.view(pairs, length, self._heads, -1).transpose(1, 2)


def _mean(states: Tensor, text: Tensor) -> Tensor:
    weights = text[..., None].to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1)
