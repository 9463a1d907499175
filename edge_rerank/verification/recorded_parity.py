"""Whether the manifest's parity figures are about the probe pairs beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from edge_rerank.artifact.folder import Probe
from edge_rerank.artifact.manifest import Manifest
from edge_rerank.parity.agreement import spread
from edge_rerank.parity.limits import RECORDED, recorded_agreement


def parity_conflicts(manifest: Manifest, probes: Sequence[Probe]) -> list[str]:
    """Say where the manifest's parity figures are not about these probes; empty when nowhere.

    An fp32 artifact records no parity over its probes.
    """
    if manifest.precision == "fp32":
        return []
    recorded = recorded_agreement(manifest)
    if recorded is None:
        return [f"the manifest's parity has no usable {RECORDED!r}"]
    conflicts = []
    if recorded.pairs != len(probes):
        conflicts.append(f"the manifest is about {recorded.pairs} probes, not {len(probes)}")
    sigma = spread([probe.logit for probe in probes]) if probes else 0.0
    if not math.isclose(recorded.sigma, sigma, rel_tol=1e-4):
        conflicts.append(
            f"sigma is {recorded.sigma:.5g} in the manifest, {sigma:.5g} of the probes"
        )
    if recorded.rms_error > recorded.max_error:
        conflicts.append("the recorded rms error is above the largest error")
    return conflicts
