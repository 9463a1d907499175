"""An artifact's probe pairs, scored by a loaded reranker: how far off they are, in logits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_rerank.artifact.folder import load_probes

if TYPE_CHECKING:
    from edge_rerank.reranker import Reranker


@dataclass(frozen=True, slots=True)
class ProbeCheck:
    """How far this machine's logits are from those of the fp32 model, over the probe pairs."""

    pairs: int
    rms: float
    """Root of the mean squared difference, in logits."""
    largest: float
    """Largest absolute difference, in logits."""


def check_probes(reranker: Reranker) -> ProbeCheck | None:
    """Score the artifact's probe pairs and compare; None when it has none that fit whole.

    Pairs that the reranker's maximum length cuts are left out: their logits are others.
    Raises what scoring raises, and ArtifactError for a probe file that cannot be read.
    """
    probes = load_probes(reranker.artifact)
    scored = reranker.score([(probe.query, probe.document) for probe in probes], scores="logits")
    whole = reranker.max_length == reranker.artifact.manifest.max_length
    differences = [
        abs(pair.logit - probe.logit)
        for pair, probe in zip(scored, probes, strict=True)
        if whole or not pair.truncated
    ]
    if not differences:
        return None
    mean = math.fsum(value * value for value in differences) / len(differences)
    return ProbeCheck(len(differences), math.sqrt(mean), max(differences))
