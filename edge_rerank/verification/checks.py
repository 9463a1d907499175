"""One finding each: what was looked at, what was found, what it is held to, and what to do."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from edge_rerank.artifact.folder import Artifact, sha256_file
from edge_rerank.machine.floats import denormal_fault, rounding_fault
from edge_rerank.parity.agreement import Agreement
from edge_rerank.parity.limits import Limits

_COPY = "copy or export the artifact again"
_SCORES = (
    "this machine does not give the model's scores, or the artifact's weights, scales or tokenizer "
    f"are not its own: compare its checksums, {_COPY}, or try another engine"
)
_FLOATS = "another library in this process changed it: set the default, or run in another process"
_BITS = "this engine does not keep a score the same here: report it, and try another engine"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was checked."""

    name: str
    passed: bool | None
    """None where it could not be tried here, for the reason in ``found``."""
    found: str
    expected: str
    remedy: str = ""
    value: float | None = None
    """What was found, as a number, where it is one."""
    limit: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the check as JSON values; a number that is not finite becomes null."""
        members = {name: getattr(self, name) for name in self.__slots__}
        if self.value is not None and not math.isfinite(self.value):
            members["value"] = None
        return members


@dataclass(frozen=True, slots=True)
class FileCheck:
    """One file of an artifact."""

    name: str
    size: int
    sha256: str
    """As the manifest lists it."""
    matches: bool | None
    """Whether the file has that sum; None where it was not computed."""


def floating_point_check() -> Check:
    """Report how this thread rounds, where the default could not be set for this."""
    fault = rounding_fault() or denormal_fault()
    expected = "to nearest, denormals kept"
    return Check("floating_point", fault is None, fault or "the default", expected, _FLOATS)


def manifest_check(sealed: bool | None) -> Check:
    """Report whether the manifest has its own checksum; see :attr:`Artifact.sealed`."""
    name, expected = "manifest", "its own checksum holds"
    if sealed is None:
        return Check(name, None, "has no checksum of itself: of an older release", expected)
    found = "its checksum holds" if sealed else "its checksum differs"
    return Check(name, sealed, found, expected, f"it is damaged or was edited: {_COPY}")


def file_checks(artifact: Artifact, *, checksums: bool) -> Iterator[FileCheck]:
    """Compare every file with the manifest; raises ArtifactNotFoundError for one that is gone."""
    for name, record in artifact.manifest.files.items():
        matches = sha256_file(artifact.file(name)) == record.sha256 if checksums else None
        yield FileCheck(name, record.size, record.sha256, matches)


def checksum_check(files: Sequence[FileCheck]) -> Check:
    """Sum up the files' checks."""
    name, expected = "checksums", "as in the manifest"
    if any(file.matches is None for file in files):
        return Check(name, None, "not computed, as asked", expected)
    wrong = ", ".join(file.name for file in files if not file.matches)
    found = f"{wrong} differs" if wrong else f"{len(files)} files match"
    return Check(name, not wrong, found, expected, f"a file is damaged or altered: {_COPY}")


def conflict_check(name: str, conflicts: Sequence[str]) -> Check:
    """Sum up where a file and the manifest differ."""
    found = "; ".join(conflicts) or "none found"
    remedy = f"the manifest or the file was edited, or cut short: {_COPY}"
    return Check(name, not conflicts, found, "no contradiction", remedy)


def agreement_checks(found: Agreement, limits: Limits) -> Iterator[Check]:
    """Hold an agreement to its limits."""
    for name, error, ratio, most in (
        ("rms_error", found.rms_error, found.rms_in_sigma, limits.rms_in_sigma),
        ("max_error", found.max_error, found.max_in_sigma, limits.max_in_sigma),
    ):
        seen = f"{ratio:.4f} sigma ({error:.4f} logits)"
        yield Check(name, ratio <= most, seen, f"at most {most:.4f} sigma", _SCORES, ratio, most)
    for name, value, least in (
        ("kendall_tau", found.kendall_tau, limits.kendall_tau),
        ("top_k_overlap", found.top_k_overlap, limits.top_k_overlap),
    ):
        if value is None:
            continue
        seen = f"{value:.4f}" if name == "kendall_tau" else f"{value:.2f} of {found.top_k}"
        yield Check(name, value >= least, seen, f"at least {least:.4g}", _SCORES, value, least)


def same_bits_check(name: str, once: Sequence[float], again: Sequence[float]) -> Check:
    """Check that logits (float32 values) of the same pairs came out the same to the last bit."""
    changed = sum(_bits(one) != _bits(other) for one, other in zip(once, again, strict=True))
    largest = max((abs(one - other) for one, other in zip(once, again, strict=True)), default=0.0)
    found = f"{len(once)} pairs, the same bits"
    if changed:
        found = f"{changed} of {len(once)} pairs differ, by up to {largest:.3g} logits"
    return Check(name, not changed, found, "the same bits", _BITS, float(changed), 0.0)


def failed_scoring(error: Exception) -> Check:
    """Report that the probe pairs could not be scored at all."""
    return Check("scoring", False, _one_line(error), "a finite logit for each pair", _SCORES)


def longest_pair_check(max_length: int, error: Exception | None) -> Check:
    """Report whether a pair of as many tokens as the manifest allows could be scored."""
    found = f"{max_length} tokens scored" if error is None else _one_line(error)
    remedy = f"pairs of max_length, {max_length} tokens, cannot be scored: the manifest was edited"
    return Check("longest_pair", error is None, found, "a finite logit", f"{remedy}: {_COPY}")


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _bits(logit: float) -> bytes:
    return struct.pack("<f", logit)
