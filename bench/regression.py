"""Looks for operations that got slower, against the baseline that is kept in bench/baseline.json.

What is compared is the ratio of each operation of ``micro.py`` to its reference, taken in turns:
never a time by itself. Such a ratio still belongs to a kind of processor, a kernel and a Python,
and so does a baseline; where there is none, nothing can be said. An operation counts as slower
when its ratio is over LIMIT times the baseline's in each of TRIES runs.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from edge_rerank.errors import EngineError
from edge_rerank.machine.cpu import read_cpu
from edge_rerank.native_library import load_library

BASELINE = Path("bench/baseline.json")
LIMIT = 1.3
"""Runs on two cores with a load of 4 to 6 repeated these ratios within four hundredths."""
TRIES = 3
Ratios = dict[str, float]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--save", action="store_true", help="make this run the baseline")
    parser.add_argument("--limit", type=float, default=LIMIT, help="default: %(default)s")
    parser.add_argument("--baseline", type=Path, default=BASELINE, help="default: %(default)s")


def regression(options: argparse.Namespace) -> int:
    """Measure, compare or save; return 1 when something got slower."""
    key, file = machine(), options.baseline
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    if options.save:
        known[key] = {name: round(seconds, 3) for name, seconds in middle(measure, TRIES).items()}
        file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"saved for {key}: {known[key]}")
        return 0
    if key not in known:
        there = "; ".join(known) or "none"
        print(f"no baseline for {key}: nothing is compared. --save makes one; there are: {there}")
        return 0
    ratios, slower = compare(measure, known[key], options.limit)
    print(describe(ratios, known[key], options.limit))
    return int(bool(slower))


def compare(
    run: Callable[[], Ratios], baseline: Mapping[str, float], limit: float, tries: int = TRIES
) -> tuple[Ratios, list[str]]:
    """Run until nothing looks slower, or often enough; return best ratios and what is slower."""
    ratios: Ratios = {}
    slower: list[str] = []
    for _ in range(tries):
        for name, ratio in run().items():
            ratios[name] = min(ratio, ratios.get(name, ratio))
        slower = [
            name
            for name, now in ratios.items()
            if name in baseline and now > limit * baseline[name]
        ]
        if not slower:
            break
    return ratios, slower


def middle(run: Callable[[], Ratios], tries: int) -> Ratios:
    """Return the median of each operation's ratios in several runs."""
    runs = [run() for _ in range(tries)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def describe(ratios: Mapping[str, float], baseline: Mapping[str, float], limit: float) -> str:
    """Return a line an operation: its ratio, the baseline's, and whether that is slower."""
    lines = [f"times the reference operation; slower is over {limit:g} times the baseline"]
    for name in sorted(ratios.keys() | baseline.keys()):
        now, before = ratios.get(name), baseline.get(name)
        if now is None or before is None:
            lines.append(f"{name:16s} {'not in the ' + ('run' if now is None else 'baseline')}")
            continue
        change = now / before
        mark = "SLOWER" if change > limit else "ok"
        lines.append(f"{name:16s} {now:9.3f}  baseline {before:9.3f}  {change:5.2f}  {mark}")
    return "\n".join(lines)


def machine(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Say what a baseline belongs to: the processor, the kernel and Python's version.

    Virtual machines give processors of several generations the same name, hence the numbers.
    """
    try:
        kernel: str = load_library().kernels[0]
    except EngineError:
        kernel = "onnxruntime"
    cpu = read_cpu()
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return ", ".join([cpu.model or cpu.machine, *_generation(cpuinfo), kernel, python])


def measure() -> Ratios:
    """Measure all operations once."""
    from . import micro

    with micro.operations() as wanted:
        return micro.measure(wanted, micro.references())


def _generation(cpuinfo: Path) -> list[str]:
    """Return the first processor's family and model, where Linux names them."""
    try:
        lines = cpuinfo.read_text("utf-8", "replace").split("\n\n")[0].splitlines()
    except OSError:
        return []
    fields = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    wanted = ("cpu family", "model")
    if not fields.keys() >= set(wanted):
        return []
    return [" ".join(f"{field} {fields[field]}" for field in wanted)]
