"""Sections about cost: new processes, growth with the input, and where a call's time goes."""

from __future__ import annotations

import time
from typing import Any

from ..peers.catalogue import BASELINE, EngineSpec, engine
from .process import PeerError
from .sections import Run, size_of
from .session import Session, Starter
from .shapes import Shape
from .texts import QUERY_WORDS
from .workloads import WORDS, Workload

STAGES = ("embedding", "products", "attention", "rest", "waiting")
_LONGEST_CALL = {True: 20.0, False: 8.0}
"""Seconds that a call of the growth section may be expected to take, of a core engine or not."""
_LENGTHS_AT = 16
"""Passages of a call whose lengths grow."""
_STAGE_WORKLOADS = (
    Workload(10, WORDS["passage"]),
    Workload(50, WORDS["section"]),
    Workload(10, WORDS["limit"]),
)


def cold(run: Run, shape: Shape) -> None:
    """New processes: from the start to the first ten scores, and the memory they took.

    An engine is started ``cold_least`` times in any case, and more often while the budget lasts.
    """
    end = time.monotonic() + run.plan.budget["cold"]
    workload = Workload(10, WORDS["passage"])
    pairs = workload.pairs(run.texts)
    found: dict[str, dict[str, Any]] = {
        spec.name: {"seconds": [], "peak_bytes": [], "failed": None}
        for spec in run.specs
        if not spec.starts_like
    }
    cost = dict.fromkeys(found, 0.0)
    starter = run.starter(shape)
    run.say(f"cold: {shape.name}, {run.plan.cold_starts} starts of each engine")
    # One more than is counted: the first brings the files into the system's cache.
    for turn in range(run.plan.cold_starts + 1):
        for spec in [spec for spec in run.specs if spec.name in found]:
            entry, before = found[spec.name], time.monotonic()
            enough = len(entry["seconds"]) >= run.plan.cold_least
            if entry["failed"] or (enough and before + cost[spec.name] > end):
                continue
            try:
                seconds, peak = cold_start(starter, spec, run.threads, pairs)
            except PeerError as error:
                entry["failed"] = str(error)
                continue
            cost[spec.name] = time.monotonic() - before
            if turn:
                entry["seconds"].append(seconds)
                entry["peak_bytes"].append(peak)
    run.results["cold"] = [
        {"shape": shape.name, "threads": run.threads, "engine": name, **entry}
        for name, entry in found.items()
    ]


def cold_start(
    starter: Starter, spec: EngineSpec, threads: int, pairs: Any
) -> tuple[float, int | None]:
    """Start an engine for these pairs alone; return seconds to the scores, and peak memory."""
    worker, _ = starter.start(spec, threads)
    try:
        worker.ask(do="texts", name="cold", pairs=pairs)
        worker.ask(do="score", name="cold", logits=True)
        seconds = time.perf_counter() - worker.started
        return seconds, worker.ask(do="facts", brief=True)["peak_bytes"]
    finally:
        worker.close()


def growth(run: Run, shape: Shape) -> None:
    """More and more passages of 60 words, and longer and longer ones.

    The core engines; others that the plan names, which are slow, at a few points.
    """
    plan = run.plan
    passages = [Workload(count, WORDS["passage"]) for count in plan.growth_passages]
    lengths = [Workload(_LENGTHS_AT, words) for words in plan.growth_words]
    specs = [spec for spec in run.specs if spec.core or spec.name in plan.growth_others]
    for workloads in (passages, lengths):
        # Large calls need more time for as many rounds, small ones deserve more rounds.
        weights = [_words(workload) ** 0.5 for workload in workloads]
        with run.session(shape, specs, run.threads) as session:
            per_word: dict[str, float] = {}
            end = time.monotonic() + plan.budget["growth"] / 2
            for place, workload in enumerate(workloads):
                left = max(0.0, end - time.monotonic())
                budget = left * weights[place] / sum(weights[place:])
                few = workload.passages in plan.growth_few or workload.words in plan.growth_few
                without = () if few else plan.growth_others
                _leave_out_slow(session, workload, per_word, {spec.name for spec in run.core})
                times, _ = run.measure(
                    "growth", shape, session, workload, budget, run.threads, without
                )
                for name, seconds in times.seconds.items():
                    per_word[name] = min(seconds.values()) / _words(workload)


def _words(workload: Workload) -> int:
    return workload.passages * (workload.words + QUERY_WORDS)


def _leave_out_slow(
    session: Session, workload: Workload, per_word: dict[str, float], core: set[str]
) -> None:
    for name in [name for name in session.workers if name in per_word and name != BASELINE]:
        expected = per_word[name] * _words(workload)
        if expected > _LONGEST_CALL[name in core]:
            session.leave_out(name, f"a call would take {expected:.0f} s")


def stages(run: Run, shape: Shape) -> None:
    """Where the time of a call of ours goes, as the native engine itself counts it."""
    run.results["stages"] = []
    for threads in sorted({1, run.threads}):
        with run.session(shape, [engine(BASELINE)], threads) as session:
            for workload in _STAGE_WORKLOADS:
                left = run.plan.budget["stages"] / 2 / len(_STAGE_WORKLOADS)
                found = _stages_of(run, session, workload, left)
                if found is not None:
                    lengths = shape.lengths(workload.pairs(run.texts))
                    entry = {"shape": shape.name, "threads": threads, **size_of(lengths)}
                    entry |= {"passages": workload.passages, "words": workload.words, **found}
                    run.results["stages"].append(entry)


def _stages_of(
    run: Run, session: Session, workload: Workload, budget: float
) -> dict[str, Any] | None:
    """Return the mean seconds of a call and of its parts, each part's summed over threads."""
    worker = session.workers.get(BASELINE)
    if worker is None:
        return None
    ask = worker.ask
    ask(do="texts", name=workload.name, pairs=workload.pairs(run.texts))
    ask(do="score", name=workload.name, logits=False)
    before = ask(do="facts")["engine"]["details"]
    if "seconds" not in before:
        return None  # not the native engine
    calls: list[float] = []
    end = time.monotonic() + budget
    while time.monotonic() < end or not calls:
        calls.append(ask(do="score", name=workload.name, logits=False)["seconds"])
    facts = ask(do="facts")
    after = facts["engine"]["details"]

    def mean(name: str) -> float:
        return float(after["seconds"][name] - before["seconds"][name]) / len(calls)

    return {
        "calls": len(calls),
        "seconds": sum(calls) / len(calls),
        "tokenizing": facts["tokenizing"],
        "parts": {name: mean(name) for name in after["seconds"]},
        "multiply_adds": (after["multiply_adds"] - before["multiply_adds"]) / len(calls),
    }
