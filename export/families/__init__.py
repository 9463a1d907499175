"""The model families that can be exported; docs/families.md says what adding one takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..config import Config
from ..errors import CheckpointError
from ..modules import FILE, HeadModules
from ..two_logits import relevant_output
from .bert import BERT
from .deberta_v2 import DEBERTA_V2
from .family import Family, Layout
from .modernbert import MODERNBERT
from .roberta import ROBERTA, XLM_ROBERTA
from .segment_bert import SEGMENT_BERT

FAMILIES: tuple[Family, ...] = (
    *(DEBERTA_V2, BERT, ROBERTA, XLM_ROBERTA, MODERNBERT),
    SEGMENT_BERT,
)

_ONE_LOGIT = Config({"num_labels": 1}, FILE)

__all__ = ["FAMILIES", "Family", "Layout", "read_layout"]


def read_layout(
    members: Mapping[str, Any],
    where: str,
    *,
    relevant_label: str | None = None,
    modules: HeadModules | None = None,
) -> Layout:
    """Describe the checkpoint whose ``config.json`` has these members; ``where`` names it.

    ``relevant_label`` says which of two logits means relevant; ``modules`` are the head, where the
    model has none of its own.

    Raises CheckpointError for another family, a head that does not give one logit, and any
    setting that is not known.
    """
    config = Config(members, where)
    family = _family(config, encoder=modules is not None)
    one_logit = family.own_head or modules is not None
    relevant = relevant_output(_ONE_LOGIT if one_logit else config, relevant_label)
    if config.members.get("quantization_config"):
        raise CheckpointError(
            f"{where}: has a quantization_config: the checkpoint is quantised already; export the "
            "one that it was made from"
        )
    if family.own_head and modules is not None:
        raise CheckpointError(
            f"{where}: model_type is {family.name!r}, which has a head of its own; remove {FILE}"
        )
    layout = family.read(config)
    if modules is not None:
        layout = _with_modules(layout, modules, where)
    return layout if relevant is None else replace(layout, relevant=relevant)


def _with_modules(layout: Layout, modules: HeadModules, where: str) -> Layout:
    """Put the modules in the place of the model's own head."""
    hidden = layout.architecture.hidden_size
    if modules.inputs != hidden:
        raise CheckpointError(
            f"{where}: hidden_size is {hidden}, and the modules' Pooling is {modules.inputs} wide"
        )
    own = {name for name in layout.names.unbiased if not name.startswith("head.")}
    return replace(
        layout,
        architecture=replace(layout.architecture, head=modules.head),
        names=replace(
            layout.names,
            head=modules.sources,
            classifier=modules.classifier,
            unbiased=modules.unbiased | own,
        ),
        model_class=layout.model_class.replace("ForSequenceClassification", "Model"),
        modules=modules,
        own_graph=True,
    )


def _family(config: Config, *, encoder: bool) -> Family:
    """Find the family of a cross-encoder, or of an encoder whose head is not its own."""
    kind, names = config.members.get("model_type"), config.members.get("architectures") or []
    for family in FAMILIES:
        if family.name == kind and (encoder or not names or family.model_class in names):
            return family
    known = "; ".join(
        f"{family.model_class} (model_type {family.name!r}: {family.title} cross-encoders)"
        for family in FAMILIES
    )
    raise CheckpointError(
        f"{config.where}: the model is {names or kind!r}; edge-rerank exports {known}"
    )
