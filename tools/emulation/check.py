"""Scoring the same pairs on every CPU, with every engine and kernel, and comparing."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.threads import usable_threads
from tools.emulation.commands import describe_exit, last_lines
from tools.emulation.compare import Row, Scores, compare
from tools.emulation.cpus import HOST, EmulatedCpu, host_machine, kernels
from tools.emulation.machine import Machine, emulated, host
from tools.emulation.pairs import PairSet
from tools.emulation.staging import has_native, staged

TIMEOUT = 3 * 3600.0
"""Seconds after which a run counts as hung."""

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One engine, with one kernel, on one CPU."""

    cpu: EmulatedCpu | None
    """None is this machine itself."""
    engine: str
    kernel: str | None = None
    """None leaves the choice to the engine."""

    @property
    def machine(self) -> str:
        """The kind of machine it needs."""
        return host_machine() if self.cpu is None else self.cpu.machine

    @property
    def name(self) -> str:
        """What it is called in messages."""
        cpu = HOST if self.cpu is None else self.cpu.name
        return " ".join([cpu, self.engine, *([self.kernel] if self.kernel else [])])


def check(
    cpus: Sequence[EmulatedCpu], pairs: PairSet, model: Path | None = None, *, say: Say
) -> list[Row]:
    """Score the pairs on this machine and on each CPU, and compare; one row a run.

    Each engine's first run on this machine is what its other runs are compared with.
    """
    machines = {HOST: host(), **{cpu.name: emulated(cpu) for cpu in cpus}}
    with ExitStack() as stack:
        kinds = sorted({host_machine(), *(cpu.machine for cpu in cpus)})
        folders = {kind: stack.enter_context(staged(kind)) for kind in kinds}

        def score(run: Run) -> Scores | str:
            machine = machines[HOST if run.cpu is None else run.cpu.name]
            start = time.monotonic()
            found = score_on(machine, folders[run.machine], run, pairs, model)
            end = f"failed: {found}" if isinstance(found, str) else "done"
            say(f"{run.name}: {end} ({time.monotonic() - start:.0f} s)")
            return found

        return _rows(plan(cpus, score), pairs, score)


def plan(cpus: Sequence[EmulatedCpu], score: Callable[[Run], Scores | str]) -> dict[Run, Any]:
    """Give all runs, those of this machine first, with the scores of those already made."""
    first = Run(None, "onnxruntime")
    found = score(first)
    runs: dict[Run, Any] = {first: found}
    features = () if isinstance(found, str) else found.features or ()
    if has_native():
        own = [Run(None, "native", kernel) for kernel in (None, *kernels(host_machine(), features))]
        runs |= {run: score(run) for run in own}
    for cpu in cpus:
        runs[Run(cpu, "onnxruntime")] = None
        if has_native():
            able = kernels(cpu.machine, cpu.features)
            # Without a name the best is taken: the first needs no run of its own.
            runs |= {Run(cpu, "native", kernel): None for kernel in (None, *able[1:])}
    return runs


def _rows(runs: dict[Run, Any], pairs: PairSet, score: Callable[[Run], Scores | str]) -> list[Row]:
    """Make the runs that are left, as many at a time as there are cores, and compare."""
    left = [run for run, found in runs.items() if found is None]
    with ThreadPoolExecutor(usable_threads()) as pool:
        runs |= dict(zip(left, pool.map(score, left), strict=True))
    reference: dict[str, Scores] = {}
    for run, found in runs.items():
        if isinstance(found, Scores):
            reference.setdefault(run.engine, found)
    return [_row(run, found, reference.get(run.engine), pairs) for run, found in runs.items()]


def _row(run: Run, found: Scores | str, reference: Scores | None, pairs: PairSet) -> Row:
    name, about = (HOST, "this machine") if run.cpu is None else (run.cpu.name, run.cpu.about)
    row = Row(name, about, run.engine, run.kernel)
    if isinstance(found, str) or reference is None:
        row.problems.append(str(found))
        return row
    expected = None if run.cpu is None else run.cpu.features
    compare(row, found, reference, expected, ranked=len(pairs.ranked))
    return row


def score_on(
    machine: Machine, folder: Path, run: Run, pairs: PairSet, model: Path | None
) -> Scores | str:
    """Make one run; give its scores, or what went wrong."""
    job = {
        "pairs": pairs.pairs,
        "model": None if model is None else str(model.absolute()),
        "engine": run.engine,
        "kernel": run.kernel,
    }
    with tempfile.TemporaryDirectory(prefix="edge-rerank-job-") as name:
        files = Path(name) / "job.json", Path(name) / "result.json"
        files[0].write_text(json.dumps(job), encoding="utf-8")
        try:
            done = machine.run(
                ["-m", "tools.emulation.worker", *map(str, files)],
                folder,
                capture=True,
                timeout=TIMEOUT,
            )
        except subprocess.TimeoutExpired:
            return f"not done after {TIMEOUT:.0f} s"
        if done.returncode:
            return f"{describe_exit(done.returncode)}\n{last_lines(done.stdout)}"
        return Scores.from_json(json.loads(files[1].read_text(encoding="utf-8")))
