"""Whether every engine can run: converts the models, and lets each engine score two pairs."""

from __future__ import annotations

import argparse

from ..peers.environments import Environments, Say
from .measuring import convert, run_of, shape_of, specs_of
from .plan import FAMILIES
from .sections import Run
from .shapes import Shape
from .workloads import WORDS, Workload

_SMALLEST = Workload(2, WORDS["passage"])
_SECTIONS = ("stream", "base", "builtin", *FAMILIES)
"""One of each shape."""


def make_ready(options: argparse.Namespace, environments: Environments, say: Say) -> dict[str, str]:
    """Do all of a report but measuring; return why engines cannot run, by shape and name."""
    run, shapes = run_of(options, environments, say)
    run.results["engines"] = {spec.name: {} for spec in run.specs}
    missing = {}
    for section in options.section or _SECTIONS:
        shape = shape_of(section, options, shapes)
        convert(run, shape, section)
        for name, why in try_engines(run, shape, section).items():
            missing[f"{shape.name}, {name}"] = why
    return missing


def try_engines(run: Run, shape: Shape, section: str) -> dict[str, str]:
    """Let each engine of a section score two pairs; return why engines could not."""
    pairs = _SMALLEST.pairs(run.texts)
    with run.session(shape, specs_of(run, section), run.threads) as session:
        times, logits = session.measure("two", pairs, baseline="", budget=0.0, most=1)
        for name, values in logits.items():
            seconds = times.seconds.get(name, {}).get(0, float("nan"))
            text = ", ".join(f"{logit:.3f}" for logit in values)
            run.say(f"{shape.name}, {name}: {text} in {seconds * 1000:.0f} ms")
        return dict(session.failed)
