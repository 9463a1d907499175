"""Does a model give, on this machine, the scores that its artifact promises?

    from edge_rerank import verify

    report = verify("my-model")
    assert report.holds, report.failures

The artifact's probe pairs are scored and compared with the fp32 logits stored beside them; a few
of them are scored again alone, in another order, twice over and on one thread, and must come out
the same to the last bit; and the files are compared with their checksums and with one another.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, SupportsIndex

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.config import config_conflicts
from edge_rerank.artifact.folder import (
    MANIFEST_NAME,
    Artifact,
    load_probes,
    open_artifact,
    sha256_file,
)
from edge_rerank.description import Description, EngineChoice, Kernel, ThreadsChoice
from edge_rerank.machine.cpu import Cpu, read_cpu
from edge_rerank.machine.floats import default_floats
from edge_rerank.parity.agreement import Agreement
from edge_rerank.parity.limits import Limits
from edge_rerank.verification.checks import (
    Check,
    FileCheck,
    checksum_check,
    conflict_check,
    file_checks,
    floating_point_check,
    manifest_check,
)
from edge_rerank.verification.probe_run import ProbeRun
from edge_rerank.verification.recorded_parity import parity_conflicts
from edge_rerank.verification.tensors import weights_conflicts
from edge_rerank.verification.vocabulary import vocabulary_conflicts

__all__ = ["Check", "FileCheck", "Verification", "verify"]


@dataclass(frozen=True, slots=True)
class Verification:
    """What :func:`verify` found."""

    path: Path
    name: str
    precision: str
    manifest_sha256: str
    """Of ``manifest.json``, which lists the other files' sums: compare it with the publisher's."""
    files: tuple[FileCheck, ...]
    cpu: Cpu
    engine: Description | None
    """None where the model was not run, because its files are damaged."""
    limits: Limits | None
    agreement: Agreement | None
    """The probe pairs' logits against the stored fp32 ones; None where they were not scored."""
    checks: tuple[Check, ...]
    tokens: int
    """How many tokens the model computed, over all runs."""
    seconds: float

    @property
    def holds(self) -> bool:
        """True when no check failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.passed is False)

    def to_json(self) -> dict[str, Any]:
        """Return the whole report as JSON values."""
        return {
            "holds": self.holds,
            **{name: getattr(self, name) for name in ("name", "precision", "manifest_sha256")},
            "path": str(self.path),
            "files": [asdict(file) for file in self.files],
            "cpu": {**asdict(self.cpu), "saturates": self.cpu.saturates},
            "engine": None if self.engine is None else self.engine.to_json(),
            "limits": None if self.limits is None else asdict(self.limits),
            "agreement": None if self.agreement is None else self.agreement.to_json(),
            "checks": [check.to_json() for check in self.checks],
            "tokens": self.tokens,
            "seconds": round(self.seconds, 3),
        }


@default_floats()
def verify(
    path: str | os.PathLike[str] | None = None,
    *,
    threads: SupportsIndex | ThreadsChoice | None = None,
    engine: EngineChoice = "auto",
    kernel: Kernel | None = None,
    checksums: bool = True,
) -> Verification:
    """Check an artifact, and this machine with it.

    Args:
        path: the folder; None is the built-in model.
        threads: as in :meth:`Reranker.load`; their scores are compared with those of one thread.
        engine: as in :meth:`Reranker.load`; with ``kernel``.
        kernel: the native engine's, as in :meth:`Reranker.load`.
        checksums: compare every file's SHA-256 with the manifest. Without, only the probe pairs
            and the files' agreement with one another are left to find a damaged file.

    Returns a report whatever is found wrong with scores or sums; a file that is damaged is listed
    and the model is not run. Raises ArtifactError, EngineError or InputError where not even
    that can be done: the folder is not an artifact, a file is missing or cut short, the engine
    cannot open the graph, a parameter is out of range.
    """
    started = time.perf_counter()
    artifact = open_artifact(builtin_model() if path is None else path)
    probes = load_probes(artifact)
    files = tuple(file_checks(artifact, checksums=checksums))
    options = {"threads": threads, "engine": engine, "kernel": kernel}
    run = ProbeRun(artifact, probes, options)
    config = artifact.file("config.json")
    checks = [
        *_manifest_checks(artifact),
        checksum_check(files),
        conflict_check("weights", weights_conflicts(artifact)),
        conflict_check("config", config_conflicts(config, artifact.manifest.architecture)),
    ]
    sound = all(check.passed is not False for check in checks)
    checks.append(conflict_check("vocabulary", vocabulary_conflicts(artifact)))
    checks.append(conflict_check("recorded_parity", parity_conflicts(artifact.manifest, probes)))
    if sound:  # damaged files are not run, nor is anything that rounds in another way
        checks += run.checks()
    return Verification(
        path=artifact.path,
        name=artifact.manifest.name,
        precision=artifact.manifest.precision,
        manifest_sha256=sha256_file(artifact.path / MANIFEST_NAME),
        files=files,
        cpu=read_cpu(),
        engine=run.engine,
        limits=run.limits,
        agreement=run.agreement,
        checks=tuple(checks),
        tokens=run.tokens,
        seconds=time.perf_counter() - started,
    )


def _manifest_checks(artifact: Artifact) -> Iterator[Check]:
    floats = floating_point_check()
    yield floats
    if floats.passed:  # or else its numbers, and so its checksum, are read as others
        yield manifest_check(artifact.sealed)
