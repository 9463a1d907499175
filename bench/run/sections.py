"""The parts of a run; each leaves its measurements in the record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge_rerank.parity.agreement import agree

from ..peers.catalogue import BASELINE, REFERENCE, SECOND_REFERENCE, EngineSpec
from ..peers.environments import OWN, Say
from .plan import Plan
from .session import Session, Starter
from .shapes import Shape
from .texts import Texts
from .turns import Times
from .workloads import WORDS, Workload, padded_tokens


@dataclass(frozen=True, slots=True)
class Run:
    """What all sections need."""

    plan: Plan
    texts: Texts
    specs: tuple[EngineSpec, ...]
    threads: int
    results: dict[str, Any]
    say: Say
    starter: Callable[[Shape], Starter]

    @property
    def core(self) -> list[EngineSpec]:
        """The engines of every workload."""
        return [spec for spec in self.specs if spec.core]

    def session(self, shape: Shape, specs: Iterable[EngineSpec], threads: int) -> Session:
        """Open engines and note their versions."""
        self.results["shapes"][shape.name] = shape.to_json()
        session = Session(self.starter(shape), specs, threads=threads, say=self.say)
        for name, versions in session.versions.items():
            self.results["engines"][name]["versions"] = versions
        return session

    def measure(
        self, section: str, shape: Shape, session: Session, workload: Workload, budget: float,
        threads: int, without: Collection[str] = (),
    ) -> tuple[Times, dict[str, list[float]]]:  # fmt: skip
        """Measure one workload with a session's engines, and note it."""
        self.say(f"{section}: {shape.name}, {workload.name}, {threads} threads, {budget:.0f} s")
        pairs = workload.pairs(self.texts)
        lengths = shape.lengths(pairs)
        missing = dict(session.failed)
        specs = {spec.name: spec for spec in self.specs}
        times, logits = session.measure(
            workload.name,
            pairs,
            baseline=BASELINE,
            budget=budget,
            most=self.plan.most,
            least={spec.name: self.plan.least(section, main=spec.main) for spec in self.specs},
            without=without,
        )
        most = self.results["shapes"][shape.name]["max_length"]
        self.results["measurements"].append(
            {
                "section": section,
                "shape": shape.name,
                "threads": threads,
                "passages": workload.passages,
                "words": workload.words,
                **size_of(lengths),
                "padded": {
                    name: padded_tokens(
                        lengths, specs[name].batching, threads=threads, max_length=most
                    )
                    for name in times.seconds
                },
                "seconds": {
                    name: list(map(list, turns.items())) for name, turns in times.seconds.items()
                },
                "failed": {**missing, **times.failed},
            }
        )
        return times, logits


def size_of(lengths: Sequence[int]) -> dict[str, int]:
    """Return what the cost of pairs depends on: their tokens, and the sum of their squares."""
    squares = sum(length * length for length in lengths)
    return {"pairs": len(lengths), "tokens": sum(lengths), "squares": squares}


def latency(run: Run, shape: Shape) -> None:
    """One query with 10, 50 and 100 passages, all threads."""
    rest = [cell for cell in run.plan.for_core if cell not in run.plan.for_all]
    # As it was measured, the others take about twice as long as the core engines.
    everyone = 2 * len(run.specs) - len(run.core)
    cost_all = sum(cell.passages * cell.words for cell in run.plan.for_all) * everyone
    cost = cost_all + sum(cell.passages * cell.words for cell in rest) * len(run.core)
    each = run.plan.budget["latency"] / cost
    with run.session(shape, run.specs, run.threads) as session:
        for workload in run.plan.for_all:
            budget = each * everyone * workload.passages * workload.words
            run.measure("latency", shape, session, workload, budget, run.threads)
    if rest:
        with run.session(shape, run.core, run.threads) as session:
            for workload in rest:
                budget = each * len(run.core) * workload.passages * workload.words
                run.measure("latency", shape, session, workload, budget, run.threads)


def stream(run: Run, shape: Shape) -> None:
    """A long stream of pairs, and from its logits the accuracy."""
    budget = run.plan.budget["stream"]
    with run.session(shape, run.specs, run.threads) as session:
        measured = run.measure("stream", shape, session, run.plan.stream, budget, run.threads)
    run.results["accuracy"][shape.name] = accuracy(measured[1], run.specs)


def accuracy(logits: Mapping[str, Sequence[float]], specs: Iterable[EngineSpec]) -> dict[str, Any]:
    """Compare all logits with the reference's, which is torch's or our own fp32's."""
    reference = next((name for name in (REFERENCE, SECOND_REFERENCE) if name in logits), None)
    if reference is None:
        return {"reference": None, "pairs": 0, "engines": {}}
    exact = logits[reference]
    compared = {spec.name for spec in specs if spec.same_model and spec.name in logits}
    engines = {}
    for name in sorted(compared):
        found = agree(logits[name], exact)
        engines[name] = {
            "rms_in_sigma": found.rms_in_sigma,
            "max_in_sigma": found.max_in_sigma,
            "kendall_tau": found.kendall_tau,
        }
    sigma = agree(exact, exact).sigma
    return {"reference": reference, "pairs": len(exact), "sigma": sigma, "engines": engines}


def one_thread(run: Run, shape: Shape) -> None:
    """The core engines on one thread."""
    _workloads(run, "one-thread", shape, run.core, run.plan.one_thread, 1)


def base(run: Run, shape: Shape) -> None:
    """The base shape: the core engines."""
    workloads = (Workload(10, WORDS["passage"]), run.plan.small_stream)
    _workloads(run, "base", shape, run.core, workloads, run.threads)


def family(run: Run, shape: Shape) -> None:
    """A shape of another family: one query's passages, and a stream with its accuracy.

    Each workload has a half of the budget.
    """
    stream = run.plan.family_streams.get(shape.name, run.plan.stream)
    specs = [spec for spec in run.specs if spec.of_families]
    budget = run.plan.budget[shape.name] / 2
    with run.session(shape, specs, run.threads) as session:
        run.measure(shape.name, shape, session, Workload(10, WORDS["passage"]), budget, run.threads)
        measured = run.measure(shape.name, shape, session, stream, budget, run.threads)
    run.results["accuracy"][shape.name] = accuracy(measured[1], specs)


def builtin(run: Run, shape: Shape) -> None:
    """The built-in model: our own engines."""
    workloads = (
        *(Workload(count, WORDS["passage"]) for count in (10, 50, 100)),
        Workload(10, WORDS["section"]),
        run.plan.stream,
    )
    own = [spec for spec in run.core if spec.environment == OWN]
    _workloads(run, "builtin", shape, own, workloads, run.threads)


def _workloads(
    run: Run,
    section: str,
    shape: Shape,
    specs: Sequence[EngineSpec],
    workloads: Sequence[Workload],
    threads: int,
) -> None:
    """Measure several workloads, each with a share of the budget by its size."""
    sizes = [cell.passages * (cell.words or 100) for cell in workloads]
    with run.session(shape, specs, threads) as session:
        for workload, size in zip(workloads, sizes, strict=True):
            budget = run.plan.budget[section] * size / sum(sizes)
            run.measure(section, shape, session, workload, budget, threads)
