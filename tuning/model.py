"""The checkpoint in torch, with one logit for each pair, whatever its head is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from edge_rerank_export.reference import TorchReference
from edge_rerank_training.attention import pair_logits, use_training_attention
from edge_rerank_training.precision import products_in

from .device import PROCESSOR

if TYPE_CHECKING:
    from edge_rerank_export.checkpoint import Checkpoint
    from edge_rerank_export.padding import PaddedBatch

    from .encoding import Encoded

_DEBERTA = "deberta"


class TunedModel:
    """A model, which of its weights are trained, and its logits."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        precision: str,
        device: str = PROCESSOR,
        *,
        upper_half: bool = False,
    ) -> None:
        """Load the checkpoint; raises CheckpointError where transformers cannot.

        ``upper_half`` lets all below the upper half of the layers rest, and leaves out dropout.
        """
        self.device = torch.device(device)
        self.module: nn.Module = TorchReference(checkpoint).model.to(self.device)
        self.precision = precision
        self.padding = checkpoint.architecture.pad_token_id
        self._typed = checkpoint.architecture.token_types > 0
        self.diagonal = _use_fast_attention(self.module)
        # pair_logits computes the first token alone in the last layer, and knows no types.
        head = checkpoint.layout.modules is None
        self._first_token = self.diagonal and head and not self._typed
        words = f"{checkpoint.layout.names.words}.weight"
        for name, weight in self.module.named_parameters():
            # A few hundred queries hold few of the words: those would move away from the others.
            weight.requires_grad_(name != words)
        # Attention's has no module whose p could be 0: only the mode turns all of it off.
        self._dropout = not upper_half
        if upper_half:
            self._rest_below(checkpoint)

    def _rest_below(self, checkpoint: Checkpoint) -> None:
        names, layers = checkpoint.layout.names, checkpoint.architecture.layers
        upper = (names.layer.format(layer=number) for number in range(layers // 2, layers))
        moving = tuple(f"{name}." for name in (*upper, names.pooler, names.final_norm) if name)
        for name, weight in self.module.named_parameters():
            if name.startswith(names.encoder) and not name.startswith(moving):
                weight.requires_grad_(False)

    def begin_step(self) -> None:
        """Turn dropout on for what is trained on next, where the model is to have any."""
        self.module.train(self._dropout)

    def trained(self) -> dict[str, nn.Parameter]:
        """Return the weights that are trained, by name."""
        return {
            name: weight for name, weight in self.module.named_parameters() if weight.requires_grad
        }

    def logits(self, batch: PaddedBatch) -> Tensor:
        """Return one logit for each pair of a batch, [pairs], on the model's device."""
        ids, mask = (part.to(self.device) for part in (batch.ids, batch.mask.long()))
        with products_in(self.precision, str(self.device)):
            if self._first_token:
                module: Any = self.module
                first: Tensor = pair_logits(module, ids, mask)
                return first.float()
            types = {"token_type_ids": batch.types.to(self.device)} if self._typed else {}
            found = self.module(input_ids=ids, attention_mask=mask, **types)
        logits: Tensor = found.logits[:, 0].float()
        return logits

    def scores(self, encoded: Encoded) -> Iterator[tuple[list[int], list[float]]]:
        """Yield places of pairs and their logits, without anything to train by."""
        self.module.eval()
        for batch in encoded.by_length():
            with torch.no_grad():
                yield list(batch.places), self.logits(batch).tolist()


def _use_fast_attention(module: nn.Module) -> bool:
    """Swap DeBERTa's attention for the one without gathers, where it knows the shape."""
    deberta: Any = getattr(module, _DEBERTA, None)
    if deberta is None:
        return False
    attention = deberta.encoder.layer[0].attention.self
    fits = (
        getattr(attention, "share_att_key", False)
        and set(getattr(attention, "pos_att_type", ())) == {"c2p", "p2c"}
        and getattr(attention, "position_buckets", -1) > 0
    )
    if fits:
        model: Any = module
        use_training_attention(model)
    return bool(fits)
