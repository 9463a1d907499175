"""A model's check of itself: its probe pairs, scored here, against the fp32 model's logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edge_rerank.artifact.folder import Artifact, Probe, load_probes
from edge_rerank.errors import InputError, ParityError, shown
from edge_rerank.machine.floats import rounding_fault
from edge_rerank.parity.agreement import spread
from edge_rerank.parity.limits import limits_for

if TYPE_CHECKING:
    from edge_rerank.engines.protocol import Engine
    from edge_rerank.tokenizing.choose import PairTokenizer

_SHORTEST = 10
_REMEDY = (
    "run edge-rerank verify on the folder to see all checks; another engine (engine) or an fp32 "
    "artifact may be right here; it runs anyway without the check (self_check=False)"
)


def check_rounding() -> None:
    """Raise ParityError where this thread does not round to nearest, nor those that it starts.

    That is where the default cannot be set. Denormal numbers taken for zero are let pass: no logit
    depends on numbers so small.
    """
    if fault := rounding_fault():
        raise ParityError(fault)


def check_at_load(artifact: Artifact, tokenizer: PairTokenizer, engine: Engine) -> None:
    """Score two short probe pairs, so that a machine or a file that gives garbage is found.

    It costs milliseconds, and finds what ``edge-rerank verify`` would put beyond any doubt: on
    processors that saturate 8-bit products, or with weights or a tokenizer of another model,
    logits are off by whole sigmas. Probes that say nothing (fewer than two, all of one logit, or
    cut by a smaller maximum length) are let pass.

    Raises ParityError when a logit is further from the stored one than the artifact allows, and
    what the engine raises.
    """
    probes = load_probes(artifact)
    sigma = spread([probe.logit for probe in probes]) if probes else 0.0
    if sigma == 0:
        return
    chosen = telling_probes(probes)
    encoded = tokenizer.encode([(probe.query, probe.document) for probe in chosen])
    if encoded.truncated.any():
        return
    try:
        logits = engine.logits(encoded).tolist()
    except InputError as error:  # ids that the model does not have
        raise ParityError(f"{artifact.path}: a probe pair cannot be scored: {error}") from error
    used = engine.describe()
    limit = limits_for(artifact.manifest, sigma).max_in_sigma * sigma
    for probe, logit in zip(chosen, logits, strict=True):
        if not abs(logit - probe.logit) <= limit:
            raise ParityError(
                f"{artifact.path}: the model does not give its scores here, with the engine "
                f"{used.engine} {used.version}: the probe pair {shown(probe.query)} has the logit "
                f"{logit:.4f}, and {probe.logit:.4f} is stored (at most {limit:.4f} apart); "
                f"{_REMEDY}"
            )


def telling_probes(probes: Sequence[Probe]) -> list[Probe]:
    """Return the least and the most relevant of the shortest pairs.

    Garbage is nearly the same for every pair, so that one of two so far apart must be far off.
    """
    lengths = {probe: len(probe.query) + len(probe.document) for probe in probes if probe.document}
    shortest = sorted(lengths, key=lengths.__getitem__)[:_SHORTEST]
    shortest.sort(key=lambda probe: probe.logit)
    return [shortest[0], shortest[-1]] if len(shortest) > 1 else list(shortest)
