"""Scoring the same pairs on every CPU, with every engine and kernel, and comparing."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from edge_rerank.threads import usable_threads
from tools.emulation.commands import describe_exit, last_lines
from tools.emulation.compare import Row, Scores, compare
from tools.emulation.cpus import HOST, EmulatedCpu, host_machine
from tools.emulation.machine import Machine, emulated, host
from tools.emulation.pairs import PairSet
from tools.emulation.report import as_line
from tools.emulation.runs import Run, emulated_runs, host_runs
from tools.emulation.staging import has_native, staged

TIMEOUT = 3 * 3600.0
"""Seconds after which a run counts as hung."""

Found = Scores | str
"""What a run gave: scores, or what went wrong."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs need: interpreters by CPU, copies of the project by kind of machine."""

    machines: Mapping[str, Machine]
    folders: Mapping[str, Path]
    pairs: PairSet
    model: Path | None
    say: Callable[[str], None]
    references: dict[str, Scores] = field(default_factory=dict)
    """By engine, this machine's first scores: what all others are compared with."""

    def row(self, run: Run) -> Row:
        """Make one run, compare it, and say how it ended."""
        found = self._score(run)
        if run.cpu is None and run.step == 1 and isinstance(found, Scores):
            self.references.setdefault(run.engine, found)
        row = row_of(run, found, self.references.get(run.engine), self.pairs)
        self.say(as_line(row))
        return row

    def _score(self, run: Run) -> Found:
        with tempfile.TemporaryDirectory(prefix="edge-rerank-job-") as name:
            job, result = Path(name) / "job.json", Path(name) / "result.json"
            job.write_text(json.dumps(self._job(run)), encoding="utf-8")
            command = ["-m", "tools.emulation.worker", str(job), str(result)]
            try:
                done = self.machines[run.place].run(
                    command, self.folders[run.machine], capture=True, timeout=TIMEOUT
                )
            except subprocess.TimeoutExpired:
                return f"not done after {TIMEOUT:.0f} s"
            if done.returncode:
                return f"{describe_exit(done.returncode)}\n{last_lines(done.stdout)}"
            return Scores.from_json(json.loads(result.read_text(encoding="utf-8")))

    def _job(self, run: Run) -> dict[str, object]:
        return {
            "pairs": self.pairs.pairs[:: run.step],
            "model": None if self.model is None else str(self.model.absolute()),
            "engine": run.engine,
            "kernel": run.kernel,
        }


def check(
    cpus: Sequence[EmulatedCpu],
    pairs: PairSet,
    model: Path | None = None,
    *,
    engine: str | None = None,
    patient: bool = False,
    say: Callable[[str], None],
) -> list[Row]:
    """Score the pairs on this machine and on each CPU, and compare; one row a run.

    Each engine's first run on this machine is what its other runs are compared with. An engine
    that is named is the only one on the emulated CPUs. A patient check scores all pairs with this
    machine's slow kernel too.
    """
    machines = {HOST: host(), **{cpu.name: emulated(cpu) for cpu in cpus}}
    with ExitStack() as stack:
        kinds = sorted({host_machine(), *(cpu.machine for cpu in cpus)})
        folders = {kind: stack.enter_context(staged(kind)) for kind in kinds}
        bench = Bench(machines, folders, pairs, model, say)
        own = _on_host(bench, patient)
        able = emulated_runs(cpus, native=has_native())
        runs = [run for run in able if engine in (None, run.engine)]
        with ThreadPoolExecutor(usable_threads()) as pool:
            return [*own, *pool.map(bench.row, runs)]


def _on_host(bench: Bench, patient: bool) -> list[Row]:
    first = bench.row(Run(None, "onnxruntime"))
    if not has_native():
        return [first]
    return [first, *map(bench.row, host_runs(first.features or (), patient=patient))]


def row_of(run: Run, found: Found, reference: Scores | None, pairs: PairSet) -> Row:
    """Compare what a run gave with this machine's scores, if there are any."""
    row = Row(run.place, run.engine, run.kernel)
    if isinstance(found, str):
        row.problems.append(found)
    elif reference is None:
        row.problems.append("there is nothing to compare with: the run on this machine failed")
    else:
        ranked = len(range(0, len(pairs.ranked), run.step))
        compare(row, found, reference.every(run.step), run.cpu, ranked=ranked)
    return row
