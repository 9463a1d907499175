"""A run from beginning to end: what is measured, where, and into which record."""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_rerank import __version__
from edge_rerank.builtin import builtin_model
from edge_rerank.cpu import read_cpu
from edge_rerank.threads import usable_threads
from edge_rerank_export.calibration import load_calibration

from ..peers.catalogue import CATALOGUE, EngineSpec
from ..peers.conversions import NOTHING, ConversionError
from ..peers.environments import EnvironmentMissingError, Environments, Say
from . import costs, sections
from .limits import measure_peaks, memory_bytes
from .plan import PLANS, SECTIONS, Plan
from .results import read_results, write_results
from .sections import Run
from .session import ProcessStarter
from .shapes import Shape, Shapes
from .texts import python_topics

_FUNCTIONS: dict[str, Callable[[Run, Shape], None]] = {
    "latency": sections.latency,
    "stream": sections.stream,
    "one-thread": sections.one_thread,
    "cold": costs.cold,
    "growth": costs.growth,
    "stages": costs.stages,
    "base": sections.base,
    "builtin": sections.builtin,
}


def measure(options: argparse.Namespace, environments: Environments, say: Say) -> None:
    """Measure the sections that are asked for; each is in the record as soon as it is done."""
    threads = options.threads or min(2, usable_threads())
    results = read_results(options.output)
    wanted = options.section or list(SECTIONS)
    run = Run(
        plan=_plan(options, wanted),
        texts=python_topics(),
        specs=_specs(options.engine),
        threads=threads,
        results=results,
        say=say,
        starter=lambda shape: ProcessStarter(shape.models, environments, options.cache),
    )
    shapes = Shapes(options.cache, environments, say, load_calibration(None).pairs)
    _describe(run, environments)
    for name in wanted:
        shape = _shape(name, options, shapes)
        _convert(run, shape)
        forget(results, name)
        start = time.monotonic()
        _FUNCTIONS[name](run, shape)
        _note(run, shape, name, time.monotonic() - start)
        write_results(options.output, results)


def _plan(options: argparse.Namespace, wanted: list[str]) -> Plan:
    plan = PLANS[options.plan]
    if options.budget is None:
        return plan
    share = options.budget / sum(plan.budget[it] for it in wanted)
    return dataclasses.replace(plan, budget={name: it * share for name, it in plan.budget.items()})


def _specs(names: list[str] | None) -> tuple[EngineSpec, ...]:
    known = {it.name: it for it in CATALOGUE}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise SystemExit(f"no such engine: {', '.join(unknown)}; there are {', '.join(known)}")
    found = CATALOGUE if names is None else tuple(it for it in CATALOGUE if it.name in names)
    if not read_cpu().is_x86:
        found = tuple(it for it in found if it.settings.get("kernel") != "avx2")
    return found


def _shape(section: str, options: argparse.Namespace, shapes: Shapes) -> Shape:
    tokenizer = options.tokenizer
    if tokenizer is None:
        folder = options.checkpoint or builtin_model()
        tokenizer = folder / "tokenizer.json"
    if section == "builtin":
        return shapes.builtin()
    if section == "base":
        return shapes.random("base", tokenizer)
    if options.checkpoint is None:
        return shapes.random("xsmall", tokenizer)
    title = "xsmall shape, trained for a few steps"
    return shapes.of_checkpoint("xsmall", options.checkpoint, trained=True, title=title)


def forget(results: dict[str, Any], section: str) -> None:
    """Remove what an earlier run of the section left."""
    kept = [it for it in results["measurements"] if it["section"] != section]
    results["measurements"] = kept


def _describe(run: Run, environments: Environments) -> None:
    """Note the machine and the engines."""
    cpu = read_cpu()
    run.results["machine"] = {
        "cpu": cpu.model or "unknown",
        "machine": cpu.machine,
        "features": list(cpu.features or ()),
        "usable_threads": usable_threads(),
        "memory_bytes": memory_bytes(),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "texts_sha256": run.texts.sha256,
        "threads": run.threads,
        "plan": run.plan.name,
    }
    run.results["peaks"] = [it.to_json() for it in measure_peaks(run.threads)]
    for spec in run.specs:
        entry = run.results["engines"].setdefault(spec.name, {"versions": {}})
        entry |= {
            "label": spec.label,
            "precision": spec.precision,
            "batching": str(spec.batching),
            "same_model": spec.same_model,
            "core": spec.core,
        }
        try:
            entry["installed_bytes"] = environments.installed_bytes(spec.environment, spec.needs)
        except (EnvironmentMissingError, subprocess.CalledProcessError):
            entry["installed_bytes"] = None
    order = {it.name: place for place, it in enumerate(CATALOGUE)}
    engines = run.results["engines"]
    run.results["order"] = sorted(engines, key=lambda name: order.get(name, len(order)))


def _convert(run: Run, shape: Shape) -> None:
    """Make what all engines run from before anything is timed, and note its size."""
    sizes = run.results["model_bytes"].setdefault(shape.name, {})
    for spec in run.specs:
        if spec.model is NOTHING or (shape.name == "base" and not spec.core):
            continue
        try:
            sizes[spec.name] = shape.models.size(spec.model)
        except (ConversionError, EnvironmentMissingError) as error:
            run.say(f"{spec.name}: {error}")


def _note(run: Run, shape: Shape, section: str, seconds: float) -> None:
    """Note when and of what a section was measured."""
    run.results["shapes"][shape.name] = shape.to_json()
    run.results["sections"][section] = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": seconds,
        "plan": run.plan.name,
        "version": __version__,
        "commit": _commit(),
        "load": _load(),
    }


def _commit() -> str | None:
    """Give the short hash of the source tree's commit; None for an installed package."""
    here = Path(__file__).resolve().parent
    command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except (AttributeError, OSError):
        return None
