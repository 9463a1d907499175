"""What a model's probe pairs are held to on this machine, and where each limit comes from.

The exporter records how far int8 was from fp32 where it ran. A sound machine comes out about as
far; one that computes something else does not, even if it stays under the limit that the export
itself was held to. So the limit is the recorded figure and a margin, or the export's, whichever
is lower.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_rerank.artifact.manifest import Manifest
from edge_rerank.errors import ManifestError
from edge_rerank.parity.agreement import Agreement

RECORDED = "int8_against_fp32_graph"
"""The member of the manifest's ``parity`` that is about the probe pairs."""
INT8_RMS = 0.1
"""Largest rms error of int8, in sigma: the limit that an export is held to as well."""
RMS_MARGIN = 0.02
"""Across processors logits may differ by 0.02 sigma; an error more than that is the machine's."""
MAX_MARGIN = 0.10
"""Five times the rms margin: the largest of tens of differences of that rms lies well within."""
TAU_MARGIN = 0.02
OVERLAP = 0.8
"""Of 10: two of them may change places with neighbours whose logits are nearly the same."""
FP32_MAX = 1e-3
"""Largest error of an fp32 model, in logits: other orders of summation give about 1e-5."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of an agreement over the probe pairs."""

    rms_in_sigma: float
    max_in_sigma: float
    kendall_tau: float
    top_k_overlap: float
    source: str
    """Where they come from, for people."""


def recorded_agreement(manifest: Manifest) -> Agreement | None:
    """Return how far int8 was from fp32 over the probe pairs at export; None if unusable."""
    try:
        found = Agreement.from_json(manifest.parity.get(RECORDED), RECORDED)
    except ManifestError:
        return None
    return found if found.sigma > 0 else None


def limits_for(manifest: Manifest, sigma: float) -> Limits:
    """Return the limits for an artifact; ``sigma`` is that of its stored logits, above 0."""
    if manifest.precision == "fp32":
        limit = FP32_MAX / sigma
        return Limits(limit, limit, 0.99, OVERLAP, f"fp32: {FP32_MAX:g} logits")
    recorded = recorded_agreement(manifest)
    if recorded is None:
        return Limits(INT8_RMS, 4 * INT8_RMS, 0.9, OVERLAP, "defaults: no parity is recorded")
    rms = recorded.rms_in_sigma
    return Limits(
        rms_in_sigma=min(INT8_RMS, rms + RMS_MARGIN),
        max_in_sigma=recorded.max_in_sigma + MAX_MARGIN,
        kendall_tau=recorded.kendall_tau - TAU_MARGIN,
        top_k_overlap=OVERLAP,
        source=f"recorded at export: rms {rms:.4f} sigma, and a margin",
    )
