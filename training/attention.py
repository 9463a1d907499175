"""Disentangled attention for training: buckets are looked up once for each distance.

transformers expands an index of shape [batch * heads, length, length] and gathers through it twice
in every layer; its backward pass scatters just as often. All cells of a diagonal hold the same
distance, so a product with one table row per distance, read along the diagonals as a strided view,
gives the same numbers without any gather.
"""

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softmax
from transformers import DebertaV2ForSequenceClassification
from transformers.models.deberta_v2.modeling_deberta_v2 import (
    DisentangledSelfAttention,
    make_log_bucket_position,
)


@lru_cache(maxsize=256)
def bucket_rows(length: int, buckets: int, max_distance: int, device: torch.device) -> Tensor:
    """Rows of the relative table for distances -(length - 1) .. length - 1; shape [2 * length - 1].

    transformers' own bucket function is used, so that training cannot drift from inference. It runs
    on the processor for every device: a logarithm that is rounded otherwise is another bucket.
    """
    with torch.device("cpu"):
        distances = torch.arange(1 - length, length)
        rows = make_log_bucket_position(distances, buckets, max_distance).long() + buckets
    return torch.clamp(rows, 0, 2 * buckets - 1).to(device)


def diagonal_cells(products: Tensor) -> Tensor:
    """A view of shape [..., length, length]: cell (i, j) is products[i, j - i + length - 1].

    products is [..., length, 2 * length - 1], contiguous. With its last two axes flattened the cell
    lies at i * (2 * length - 2) + j + length - 1, one cell less than a row for each step of i.
    """
    length = products.shape[-2]
    step = (*products.stride()[:-2], 2 * length - 2, 1)
    return products.as_strided((*products.shape[:-2], length, length), step, length - 1)


class ReadDiagonals(torch.autograd.Function):
    """diagonal_cells with a backward pass of one fill and one copy."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, products: Tensor) -> Tensor:
        """[..., length, 2 * length - 1] to [..., length, length]."""
        return diagonal_cells(products.contiguous()).clone()

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        """Cells that no diagonal reads have no gradient."""
        length = gradient.shape[-1]
        whole = gradient.new_zeros((*gradient.shape[:-1], 2 * length - 1))
        diagonal_cells(whole).copy_(gradient)
        return whole


class TrainingSelfAttention(nn.Module):
    """Takes the place of DisentangledSelfAttention and shares its three projections.

    Only the shape this project trains is written: both relative terms, shared projections.
    """

    def __init__(self, original: DisentangledSelfAttention) -> None:
        super().__init__()
        if not original.share_att_key or set(original.pos_att_type) != {"c2p", "p2c"}:
            raise ValueError(
                "training attention needs share_att_key and pos_att_type p2c and c2p; "
                f"got {original.share_att_key} and {original.pos_att_type}"
            )
        self.heads = original.num_attention_heads
        self.buckets = original.position_buckets
        self.max_distance = original.max_relative_positions
        self.query_proj = original.query_proj
        self.key_proj = original.key_proj
        self.value_proj = original.value_proj

    def split(self, states: Tensor) -> Tensor:
        """[batch, length, hidden] to [heads, batch, length, hidden / heads].

        Heads come first so that a head's table meets the whole batch in one matrix product.
        """
        return states.view(*states.shape[:2], self.heads, -1).permute(2, 0, 1, 3).contiguous()

    def table_rows(self, length: int, device: torch.device) -> Tensor:
        """Rows of the relative table for all distances in texts of this length."""
        return bucket_rows(length, self.buckets, self.max_distance, device)

    def along_diagonals(self, states: Tensor, table: Tensor) -> Tensor:
        """One relative term of states [heads, batch, length, size]; table [heads, rows, size]."""
        products = states.flatten(1, 2) @ table.transpose(1, 2)
        products = products.view(*states.shape[:3], -1)
        read: Tensor = ReadDiagonals.apply(products)  # type: ignore[no-untyped-call]
        return read

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor,
        output_attentions: bool = False,
        query_states: Tensor | None = None,
        relative_pos: Tensor | None = None,
        rel_embeddings: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        """Mixed values [batch, length, hidden]; attention_mask [batch, 1, rows, length].

        The signature is the replaced module's; attention weights are never given.
        """
        assert rel_embeddings is not None
        length = hidden_states.shape[1]
        query = self.split(self.query_proj(hidden_states))
        key = self.split(self.key_proj(hidden_states))
        value = self.split(self.value_proj(hidden_states))
        # Three terms (content, c2p, p2c) share the variance: transformers' scale_factor.
        scale = 1 / math.sqrt(query.shape[-1] * 3)
        query = query * scale

        rows = rel_embeddings[self.table_rows(length, rel_embeddings.device)]
        # Row t of the key table is met at distance i - j = length - 1 - t, hence the flip.
        table_key = self.split(self.key_proj(rows.flip(0))[None])[:, 0]
        table_query = self.split(self.query_proj(rows)[None])[:, 0] * scale
        scores = query @ key.transpose(-1, -2)
        scores = scores + self.along_diagonals(query, table_key)
        scores = scores + self.along_diagonals(key, table_query).transpose(-1, -2)

        # A padding token's own row matters to nobody, so masking the keys is enough.
        keep = attention_mask.bool().any(dim=-2)
        scores = scores.masked_fill(~keep[:, 0, None], torch.finfo(scores.dtype).min)
        mixed = softmax(scores, dim=-1) @ value
        return mixed.permute(1, 2, 0, 3).flatten(2), None

    def first_token(
        self, hidden_states: Tensor, attention_mask: Tensor, rel_embeddings: Tensor
    ) -> Tensor:
        """The first token's row of what forward gives, computed alone: [batch, 1, hidden].

        The last layer needs no more, since the classifier reads that row only. Query position 0
        meets key j at distance -j, so each relative term has one table row for each key.
        """
        length = hidden_states.shape[1]
        query = self.split(self.query_proj(hidden_states[:, :1]))
        key = self.split(self.key_proj(hidden_states))
        value = self.split(self.value_proj(hidden_states))
        scale = 1 / math.sqrt(query.shape[-1] * 3)
        rows = rel_embeddings[self.table_rows(length, rel_embeddings.device)[:length].flip(0)]
        table_key = self.split(self.key_proj(rows)[None])
        table_query = self.split(self.query_proj(rows)[None])
        scores = query @ (key + table_key).transpose(-1, -2)
        scores = (scores + (key * table_query).sum(-1)[:, :, None]) * scale
        keep = attention_mask.bool().any(dim=-2)
        scores = scores.masked_fill(~keep[:, 0, None], torch.finfo(scores.dtype).min)
        return (softmax(scores, dim=-1) @ value).permute(1, 2, 0, 3).flatten(2)


def use_training_attention(model: DebertaV2ForSequenceClassification) -> None:
    """Swap the attention of every layer in place; parameters keep their names and storage."""
    layer: Any
    for layer in model.deberta.encoder.layer:
        layer.attention.self = TrainingSelfAttention(layer.attention.self)


def pair_logits(model: DebertaV2ForSequenceClassification, ids: Tensor, mask: Tensor) -> Tensor:
    """Logits [batch] of a model with training attention; ids and mask are [batch, length].

    The same as calling the model, but the last layer computes the first token only, which saves
    about a tenth of a six-layer model's time.
    """
    encoder: Any = model.deberta.encoder
    relative = encoder.get_rel_embedding()
    keep = mask[:, None, None, :]
    hidden = model.deberta.embeddings(input_ids=ids, mask=mask)
    for layer in encoder.layer[:-1]:
        mixed, _ = layer.attention.self(hidden, keep, rel_embeddings=relative)
        hidden = layer.attention.output(mixed, hidden)
        hidden = layer.output(layer.intermediate(hidden), hidden)
    last = encoder.layer[-1]
    mixed = last.attention.self.first_token(hidden, keep, relative)
    first = last.attention.output(mixed, hidden[:, :1])
    first = last.output(last.intermediate(first), first)
    logits: Tensor = model.classifier(model.pooler(first))
    return logits.squeeze(-1)
