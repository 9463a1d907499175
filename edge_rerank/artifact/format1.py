"""The architecture as manifests of format 1 have it: a DeBERTa-v2 under its configuration's names.

Releases before the second family wrote it, and their artifacts go on working.
"""

from __future__ import annotations

from functools import partial

from edge_rerank.artifact.architecture import (
    MOST_POSITIONS,
    Architecture,
    FeedForward,
    Head,
    Positions,
    RelativePositions,
    common_sizes,
    relative_terms,
)
from edge_rerank.artifact.fields import Fields

_FAMILY = "deberta-v2"


def parse_architecture(fields: Fields) -> Architecture:
    """Read the ``architecture`` object of format 1; raises ManifestError."""
    fields.flag("share_att_key")  # both are in the tables already
    fields.any_text("norm_rel_ebd")
    positions = partial(fields.integer, most=MOST_POSITIONS)
    terms = relative_terms(fields, "pos_att_type")
    longest = positions("max_position_embeddings", least=1)
    buckets, furthest = (
        max(0, positions(name, least=-1)) for name in ("position_buckets", "max_relative_positions")
    )
    relative = RelativePositions(terms, buckets, furthest or longest)
    sizes = common_sizes(fields)
    return Architecture(
        family=fields.choice("model_type", (_FAMILY,)),
        **sizes,
        token_types=positions("type_vocab_size", least=0),
        norm="after",
        norm_epsilon=fields.number("layer_norm_eps", least=1e-30, most=1),
        score_terms=1 + len(terms),
        positions=Positions(
            absolute=longest if fields.flag("position_biased_input") else 0,
            relative=relative if fields.flag("relative_attention") and terms else None,
        ),
        local_attention=None,
        segments=None,
        feed_forward=FeedForward("plain", fields.text("hidden_act")),
        head=Head.dense(sizes["hidden_size"], fields.text("pooler_hidden_act")),
    )
