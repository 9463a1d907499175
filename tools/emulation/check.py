"""Scoring the same pairs on every CPU, with every engine and kernel, and comparing."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_rerank.threads import usable_threads
from tools.emulation.commands import describe_exit, last_lines
from tools.emulation.compare import Row, Scores, compare
from tools.emulation.cpus import HOST, EmulatedCpu, host_machine
from tools.emulation.machine import Machine, emulated, host
from tools.emulation.pairs import PairSet
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

    def score(self, run: Run) -> Found:
        """Make one run, and say how it ended."""
        start = time.monotonic()
        found = self._score(run)
        end = f"failed: {found}" if isinstance(found, str) else "done"
        self.say(f"{run.name}: {end} ({time.monotonic() - start:.0f} s)")
        return found

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
        found = _on_host(bench, patient)
        able = emulated_runs(cpus, native=has_native())
        runs = [run for run in able if engine in (None, run.engine)]
        with ThreadPoolExecutor(usable_threads()) as pool:
            found |= dict(zip(runs, pool.map(bench.score, runs), strict=True))
    return rows(found, pairs)


def _on_host(bench: Bench, patient: bool) -> dict[Run, Found]:
    first = Run(None, "onnxruntime")
    found = {first: bench.score(first)}
    scores = found[first]
    if has_native():
        features = (scores.features or ()) if isinstance(scores, Scores) else ()
        found |= {run: bench.score(run) for run in host_runs(features, patient=patient)}
    return found


def rows(found: Mapping[Run, Found], pairs: PairSet) -> list[Row]:
    """Compare each run with its engine's first one that gave scores."""
    references: dict[str, Scores] = {}
    for run, scores in found.items():
        if isinstance(scores, Scores) and run.step == 1:
            references.setdefault(run.engine, scores)
    return [_row(run, scores, references.get(run.engine), pairs) for run, scores in found.items()]


def _row(run: Run, found: Found, reference: Scores | None, pairs: PairSet) -> Row:
    row = Row(run.place, run.engine, run.kernel)
    if isinstance(found, str):
        row.problems.append(found)
    elif reference is None:
        row.problems.append("there is nothing to compare with: the run on this machine failed")
    else:
        ranked = len(range(0, len(pairs.ranked), run.step))
        compare(row, found, reference.every(run.step), run.cpu, ranked=ranked)
    return row
