"""A run from beginning to end: what is measured, where, and into which record."""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from edge_rerank import __version__
from edge_rerank.machine.cpu import read_cpu
from edge_rerank.machine.threads import usable_threads
from edge_rerank_export.calibration import load_calibration

from ..peers.catalogue import CATALOGUE, EngineSpec
from ..peers.conversions import NOTHING, ConversionError
from ..peers.environments import OWN, EnvironmentMissingError, Environments, Say
from . import costs, sections
from .limits import measure_peaks, memory_bytes
from .plan import FAMILIES, PLANS, SECTIONS, Plan
from .results import check_same_machine, new_results, read_results, write_results
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
    **dict.fromkeys(FAMILIES, sections.family),
}


def measure(options: argparse.Namespace, environments: Environments, say: Say) -> None:
    """Measure the sections that are asked for; each is in the record as soon as it is done."""
    run, shapes = run_of(options, environments, say)
    run.results.update(read_results(options.output))
    before = run.results["machine"]
    _describe(run, environments)
    check_same_machine(options.output, before, run.results["machine"])
    # Once, since the record itself is part of the tree that may differ from the commit.
    commit = _commit()
    for name in options.section or SECTIONS:
        shape = shape_of(name, options, shapes)
        convert(run, shape, name)
        drop_section(run.results, name)
        start = time.monotonic()
        _FUNCTIONS[name](run, shape)
        _note(run, shape, name, time.monotonic() - start, commit)
        write_results(options.output, run.results)


def run_of(options: argparse.Namespace, environments: Environments, say: Say) -> tuple[Run, Shapes]:
    """Return what the options ask for, with an empty record, and where the models come from."""
    run = Run(
        plan=_plan(options),
        texts=python_topics(),
        specs=_specs(options.engine),
        threads=options.threads or min(2, usable_threads()),
        results=new_results(),
        say=say,
        starter=lambda shape: ProcessStarter(shape.models, environments, options.cache),
    )
    return run, Shapes(options.cache, environments, say, load_calibration(None).pairs)


def _plan(options: argparse.Namespace) -> Plan:
    plan, wanted = PLANS[options.plan], options.section or SECTIONS
    if options.budget is None:
        return plan
    share = options.budget / sum(plan.budget[section] for section in wanted)
    return dataclasses.replace(
        plan, budget={name: seconds * share for name, seconds in plan.budget.items()}
    )


def _specs(names: list[str] | None) -> tuple[EngineSpec, ...]:
    known = {spec.name: spec for spec in CATALOGUE}
    unknown = set(names or ()) - set(known)
    if unknown:
        raise SystemExit(f"no such engine: {', '.join(unknown)}; there are {', '.join(known)}")
    found = CATALOGUE if names is None else tuple(spec for spec in CATALOGUE if spec.name in names)
    if not read_cpu().is_x86:
        found = tuple(spec for spec in found if spec.settings.get("kernel") != "avx2")
    return found


def shape_of(section: str, options: argparse.Namespace, shapes: Shapes) -> Shape:
    """Return the model that a section measures."""
    if section == "builtin":
        return shapes.builtin()
    if section in FAMILIES:
        return shapes.family(section)
    tokenizer = options.tokenizer
    if tokenizer is None:
        given = options.checkpoint
        tokenizer = given / "tokenizer.json" if given else shapes.own_tokenizer()
    if section == "base":
        return shapes.random("base", tokenizer)
    if options.checkpoint is None:
        return shapes.random("xsmall", tokenizer)
    title = options.title or "xsmall shape, from a checkpoint"
    return shapes.of_checkpoint("xsmall", options.checkpoint, trained=True, title=title)


def drop_section(results: dict[str, Any], section: str) -> None:
    """Remove what an earlier run of the section left."""
    kept = [entry for entry in results["measurements"] if entry["section"] != section]
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
    run.results["peaks"] = [peak.to_json() for peak in measure_peaks(run.threads)]
    installed: dict[tuple[str, tuple[str, ...]], int | None] = {}
    for spec in run.specs:
        entry = run.results["engines"].setdefault(spec.name, {"versions": {}})
        entry |= {
            "label": spec.label,
            "precision": spec.precision,
            "batching": str(spec.batching),
            "same_model": spec.same_model,
            "core": spec.core,
        }
        needs = (spec.environment, spec.needs)
        if needs not in installed:
            installed[needs] = _installed_bytes(environments, *needs)
        entry["installed_bytes"] = installed[needs]
    order = {spec.name: place for place, spec in enumerate(CATALOGUE)}
    engines = run.results["engines"]
    run.results["order"] = sorted(engines, key=lambda name: order.get(name, len(order)))


def _installed_bytes(
    environments: Environments, environment: str, needs: Sequence[str]
) -> int | None:
    try:
        return environments.installed_bytes(environment, needs)
    except (EnvironmentMissingError, subprocess.CalledProcessError):
        return None


def specs_of(run: Run, section: str) -> Sequence[EngineSpec]:
    """Return the engines that a section measures: few for other shapes, ours for the built-in."""
    if section in FAMILIES:
        return [spec for spec in run.specs if spec.of_families]
    if section == "base":
        return run.core
    if section == "builtin":
        return [spec for spec in run.core if spec.environment == OWN]
    return run.specs


def convert(run: Run, shape: Shape, section: str) -> None:
    """Make what all engines run from before anything is timed, and note its size."""
    sizes = run.results["model_bytes"].setdefault(shape.name, {})
    for spec in specs_of(run, section):
        if spec.model is NOTHING:
            continue
        try:
            sizes[spec.name] = shape.models.size(spec.model)
        except (ConversionError, EnvironmentMissingError) as error:
            run.say(f"{spec.name}: {error}")


def _note(run: Run, shape: Shape, section: str, seconds: float, commit: str | None) -> None:
    """Note when and of what a section was measured."""
    run.results["shapes"][shape.name] = shape.to_json()
    run.results["sections"][section] = {
        "date": datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "seconds": seconds,
        "plan": run.plan.name,
        "version": __version__,
        "commit": commit,
        "load": _load(),
    }


def _commit() -> str | None:
    """Return the short hash of the source tree's commit; None for an installed package."""
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
