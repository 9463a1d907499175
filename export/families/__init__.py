"""The model families that can be exported; docs/families.md says what adding one takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..config import Config
from ..errors import CheckpointError
from .bert import BERT
from .deberta_v2 import DEBERTA_V2
from .family import Family, Layout
from .roberta import ROBERTA, XLM_ROBERTA

FAMILIES: tuple[Family, ...] = (DEBERTA_V2, BERT, ROBERTA, XLM_ROBERTA)

__all__ = ["FAMILIES", "Family", "Layout", "read_layout"]


def read_layout(members: Mapping[str, Any], where: str) -> Layout:
    """Describe the checkpoint whose ``config.json`` has these members; ``where`` names it.

    Raises CheckpointError for another family, a head that does not give one logit, and any
    setting that is not known.
    """
    config = Config(members, where)
    family = _family(config)
    labels = config.members.get("num_labels", len(config.members.get("id2label") or {}) or 2)
    if labels != 1:
        raise CheckpointError(
            f"{where}: the head gives {labels} logits; a reranker gives one (num_labels 1). "
            "A classifier with several labels cannot be exported"
        )
    if config.members.get("quantization_config"):
        raise CheckpointError(
            f"{where}: has a quantization_config: the checkpoint is quantised already; export the "
            "one that it was made from"
        )
    return family.read(config)


def _family(config: Config) -> Family:
    kind, names = config.members.get("model_type"), config.members.get("architectures") or []
    for family in FAMILIES:
        if family.name == kind and (not names or family.model_class in names):
            return family
    known = "; ".join(
        f"{family.model_class} (model_type {family.name!r}: {family.title} cross-encoders)"
        for family in FAMILIES
    )
    raise CheckpointError(
        f"{config.where}: the model is {names or kind!r}; edge-rerank exports {known}"
    )
