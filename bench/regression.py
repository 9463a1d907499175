"""Looks for micro-benchmarks that got slower, against the baseline saved beside this file.

What is compared is each benchmark's time over that of a reference operation of numpy's, on one
thread, in the same run: never a time by itself. Such a ratio still belongs to a kind of processor
and a kernel, and so does a baseline; on one that has none, nothing can be said. A benchmark counts
as slower when its ratio is LIMIT times the baseline's in each of TRIES runs: what other programs
do to one of them does not come back in all.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_rerank.cpu import read_cpu
from edge_rerank.engines._library import load_library
from edge_rerank.errors import EngineError

BASELINE = Path(__file__).with_name("baseline.json")
BENCHMARKS = Path(__file__).with_name("test_micro.py")
REFERENCE = "test_reference"
LIMIT = 1.6
"""Quiet machines repeat these ratios within a tenth; crowded ones within a third or so."""
TRIES = 3
Ratios = dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--save", action="store_true", help="make this run the baseline")
    parser.add_argument("--limit", type=float, default=LIMIT, help="default: %(default)s")


def regression(options: argparse.Namespace) -> int:
    """Measure, compare or save; gives 1 when something got slower."""
    key = machine()
    known = json.loads(BASELINE.read_text("utf-8")) if BASELINE.exists() else {}
    if options.save:
        known[key] = {name: round(it, 3) for name, it in best(measure, TRIES).items()}
        BASELINE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"saved for {key}: {known[key]}")
        return 0
    if key not in known:
        print(f"no baseline for {key}; save one with --save. There are: {', '.join(known)}")
        return 0
    ratios, slower = compare(measure, known[key], options.limit)
    print(describe(ratios, known[key], options.limit))
    return int(bool(slower))


def compare(
    run: Callable[[], Ratios], baseline: Mapping[str, float], limit: float, tries: int = TRIES
) -> tuple[Ratios, list[str]]:
    """Run until nothing looks slower, or often enough; gives the best ratios and what is slower."""
    ratios: Ratios = {}
    slower: list[str] = []
    for _ in range(tries):
        _keep_least(ratios, run())
        slower = [it for it, now in ratios.items() if it in baseline and now > limit * baseline[it]]
        if not slower:
            break
    return ratios, slower


def best(run: Callable[[], Ratios], tries: int) -> Ratios:
    """Give each benchmark's least ratio of several runs."""
    ratios: Ratios = {}
    for _ in range(tries):
        _keep_least(ratios, run())
    return ratios


def describe(ratios: Mapping[str, float], baseline: Mapping[str, float], limit: float) -> str:
    """Give a line a benchmark: its ratio, the baseline's, and whether that is slower."""
    lines = [f"times the reference operation; slower is over {limit:g} times the baseline"]
    for name in sorted(ratios.keys() | baseline.keys()):
        now, before = ratios.get(name), baseline.get(name)
        if now is None or before is None:
            lines.append(f"{name:30s} {'not in the ' + ('run' if now is None else 'baseline')}")
            continue
        change = now / before
        mark = "SLOWER" if change > limit else "ok"
        lines.append(f"{name:30s} {now:9.3f}  baseline {before:9.3f}  {change:5.2f}  {mark}")
    return "\n".join(lines)


def machine() -> str:
    """Say what a baseline belongs to: the processor and the kernel."""
    try:
        kernel = load_library().kernels[0]
    except EngineError:
        kernel = "onnxruntime"
    return f"{read_cpu().model or read_cpu().machine}, {kernel}"


def measure() -> Ratios:
    """Run the micro-benchmarks once; raises CalledProcessError when they fail."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "benchmarks.json")
        options = ["-q", "-p", "no:cacheprovider", "--benchmark-disable-gc"]
        options += ["--benchmark-max-time=0.5", f"--benchmark-json={file}"]
        command = [sys.executable, "-m", "pytest", str(BENCHMARKS), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(done.stdout + done.stderr, file=sys.stderr)
            done.check_returncode()
        return ratios_of(json.loads(file.read_text("utf-8")))


def ratios_of(report: Mapping[str, object]) -> Ratios:
    """Give least times over the reference's, from pytest-benchmark's JSON.

    The least, because other programs only ever take time away. The reference is measured at both
    ends of the run.
    """
    benchmarks = report["benchmarks"]
    assert isinstance(benchmarks, list)
    least = {it["name"]: float(it["stats"]["min"]) for it in benchmarks}
    references = [time for name, time in least.items() if name.startswith(REFERENCE)]
    reference = sum(references) / len(references)
    return {name: it / reference for name, it in least.items() if not name.startswith(REFERENCE)}


def _keep_least(ratios: Ratios, found: Ratios) -> None:
    for name, ratio in found.items():
        ratios[name] = min(ratio, ratios.get(name, ratio))
