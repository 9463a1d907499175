"""An artifact's probe pairs, scored by a loaded reranker: how far off they are, in logits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_rerank.artifact.folder import load_probes
from edge_rerank.parity.agreement import Agreement, agree

if TYPE_CHECKING:
    from edge_rerank.reranker import Reranker


def check_probes(reranker: Reranker) -> Agreement | None:
    """Score the artifact's probe pairs and compare; None when it has none that fit whole.

    Pairs that the reranker's maximum length cuts are left out: their logits are others.
    Raises what scoring raises, and ArtifactError for a probe file that cannot be read.
    """
    probes = load_probes(reranker.artifact)
    scored = reranker.score([(probe.query, probe.document) for probe in probes], scores="logits")
    whole = reranker.max_length == reranker.artifact.manifest.max_length
    pairs = [
        (pair.logit, probe.logit)
        for pair, probe in zip(scored, probes, strict=True)
        if whole or not pair.truncated
    ]
    return agree(*zip(*pairs, strict=True)) if pairs else None
