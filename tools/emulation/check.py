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
from typing import Any

from edge_rerank.machine.threads import usable_threads
from tools.emulation.commands import describe_exit, last_lines
from tools.emulation.compare import Row, Scores, compare, verified
from tools.emulation.cpus import HOST, EmulatedCpu, host_machine
from tools.emulation.machine import Machine, emulated, host
from tools.emulation.models import Model
from tools.emulation.pairs import PairSet, Part
from tools.emulation.report import as_line
from tools.emulation.runs import Run, emulated_runs, host_runs, verify_runs, with_models
from tools.emulation.staging import has_native, staged

TIMEOUT = 3 * 3600.0
"""Seconds after which a run counts as hung."""

Found = Scores | Mapping[str, Any] | str
"""What a run gave: scores, the report of ``verify``, or what went wrong."""


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that runs need: interpreters by CPU, copies of the project by kind of machine."""

    machines: Mapping[str, Machine]
    folders: Mapping[str, Path]
    pairs: PairSet
    say: Callable[[str], None]
    references: dict[tuple[Model, str], Scores] = field(default_factory=dict)
    """By model and engine, this machine's first scores: what all others are compared with."""

    def row(self, run: Run) -> Row:
        """Make one run, compare it, and say how it ended."""
        found = self._found(run)
        key = run.model, run.engine
        if run.cpu is None and run.part == Part.ALL and isinstance(found, Scores):
            self.references.setdefault(key, found)
        row = row_of(run, found, self.references.get(key), self.pairs)
        self.say(as_line(row))
        return row

    def _found(self, run: Run) -> Found:
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
            content = json.loads(result.read_text(encoding="utf-8"))
            return content if run.verify else Scores.from_json(content)

    def _job(self, run: Run) -> dict[str, object]:
        pairs, path = self.pairs.pairs, run.model.path
        return {
            "verify": run.verify,
            "pairs": [pairs[place] for place in self.pairs.places(run.part)],
            "model": None if path is None else str(path),
            "engine": run.engine,
            "kernel": run.kernel,
        }


def check(
    cpus: Sequence[EmulatedCpu],
    pairs: PairSet,
    models: Sequence[Model],
    *,
    engine: str | None = None,
    verified_on: Sequence[EmulatedCpu] | None = None,
    patient: bool = False,
    jobs: int | None = None,
    say: Callable[[str], None],
) -> list[Row]:
    """Score the pairs on this machine and on each CPU, and compare; one row a run.

    Args:
        cpus: the emulated ones.
        pairs: what is scored.
        models: with which models.
        engine: the only one on the emulated CPUs; None is all there are.
        verified_on: the CPUs that ``verify``, which takes minutes, is run on; None is all of them.
        patient: whether the slow kernel and ONNX Runtime get all pairs, the former on this machine.
        jobs: how many runs at a time; None is as many as there are cores.
        say: gets a line at each run's end.

    Each engine's first run on this machine is what its other runs are compared with.
    """
    machines = {HOST: host(), **{cpu.name: emulated(cpu) for cpu in cpus}}
    with ExitStack() as stack:
        kinds = sorted({host_machine(), *(cpu.machine for cpu in cpus)})
        folders = {kind: stack.enter_context(staged(kind)) for kind in kinds}
        bench = Bench(machines, folders, pairs, say)
        own = [row for model in models for row in _on_host(bench, model, patient)]
        native = has_native()
        able = emulated_runs(cpus, native=native, patient=patient)
        able += verify_runs(cpus if verified_on is None else verified_on, native=native)
        runs = [run for run in with_models(able, models) if engine in (None, run.engine)]
        with ThreadPoolExecutor(jobs or usable_threads()) as pool:
            return [*own, *pool.map(bench.row, runs)]


def _on_host(bench: Bench, model: Model, patient: bool) -> list[Row]:
    first = bench.row(Run(None, "onnxruntime", model=model))
    if not has_native():
        return [first]
    return [first, *map(bench.row, host_runs(first.features or (), model, patient=patient))]


def row_of(run: Run, found: Found, reference: Scores | None, pairs: PairSet) -> Row:
    """Compare what a run gave with this machine's scores, if there are any."""
    row = Row(run.place, run.engine, run.kernel, run.model.name, run.verify)
    if isinstance(found, str):
        row.problems.append(found)
    elif not isinstance(found, Scores):
        verified(row, found)
    elif reference is None:
        row.problems.append("there is nothing to compare with: the run on this machine failed")
    else:
        places = pairs.places(run.part)
        ranked = sum(place < len(pairs.ranked) for place in places)
        compare(row, found, reference.at(places), run.cpu, ranked=ranked)
    return row
