"""torch through transformers, as its documentation shows it: tokenise, pad, run, batch by batch."""

from __future__ import annotations

from typing import Any

from .batches import MAX_LENGTH, cut, has_types

DISTRIBUTIONS = ("torch", "transformers", "tokenizers")


class TorchModel:
    """A model and its tokenizer."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Load both in float32."""
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        torch.set_num_threads(settings["threads"])
        self._inference = torch.inference_mode
        self._tokenizer = AutoTokenizer.from_pretrained(settings["model"])
        model = AutoModelForSequenceClassification.from_pretrained(
            settings["model"], dtype=torch.float32
        )
        self._model = model.eval()
        self._types = has_types(model.config)
        self._rows = settings["rows"]

    def score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """Return the logits."""
        logits: list[float] = []
        with self._inference():
            for places in cut([0] * len(pairs), "arrival", self._rows):
                features = self._tokenizer(
                    [pairs[place][0] for place in places],
                    [pairs[place][1] for place in places],
                    padding=True,
                    truncation=True,
                    max_length=MAX_LENGTH,
                    return_token_type_ids=self._types,
                    return_tensors="pt",
                )
                logits += self._model(**features).logits.reshape(-1).tolist()
        return logits

    def facts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def open_engine(settings: dict[str, Any]) -> TorchModel:
    """Load the checkpoint ``model``."""
    return TorchModel(settings)
