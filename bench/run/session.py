"""Engines open at the same time, each in its own process, ready to take turns."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ..peers.catalogue import EngineSpec
from ..peers.conversions import NOTHING, ConversionError, Models
from ..peers.environments import EnvironmentMissingError, Environments, Say, module_command
from .process import PeerError, WorkerProcess
from .texts import Pair
from .turns import WARM_UP, Times, take_turns

REST = 0.1
"""Seconds without work before each call that is timed: threads of the engine before may still be
spinning. ONNX Runtime's do so for 30 to 40 ms after a call, which made the next call of two
threads, whoever's it was, that much slower."""


class Worker(Protocol):
    """What a session needs of a worker; tests bring their own."""

    started: float

    def ask(self, **message: Any) -> dict[str, Any]:
        """Send a request and give its answer; raises PeerError."""

    def close(self) -> None:
        """End it."""


class Starter(Protocol):
    """Starts workers with an engine open."""

    def start(self, spec: EngineSpec, threads: int) -> tuple[Worker, dict[str, str]]:
        """Return a worker and its versions; raises PeerError."""


@dataclass(frozen=True, slots=True)
class ProcessStarter:
    """Starts workers as processes of the peers' environments."""

    models: Models
    environments: Environments
    cache: Path

    def start(self, spec: EngineSpec, threads: int) -> tuple[Worker, dict[str, str]]:
        """Start a worker; raises PeerError, also when there is no environment or model for it."""
        try:
            python = self.environments.python(spec.environment)
            model = self.models.path(spec.model)
        except (EnvironmentMissingError, ConversionError) as error:
            raise PeerError(str(error)) from error
        settings = {**spec.settings, "model": str(model), "threads": threads}
        # Of random weights, a pair can stray from what is stored by more than a model's may.
        settings["self_check"] = self.models.trained
        if spec.model is NOTHING:
            settings["cache"] = str(self.cache / "peers-own-models" / spec.environment)
        worker = WorkerProcess(module_command(python, "worker.serve"), threads=threads)
        try:
            answer = worker.ask(do="open", adapter=spec.adapter, settings=settings)
        except PeerError:
            worker.close()
            raise
        return worker, answer["versions"]


class Session:
    """The engines that could be started, and why the others could not."""

    def __init__(
        self, starter: Starter, specs: Iterable[EngineSpec], *, threads: int, say: Say
    ) -> None:
        """Start all of them, one after the other."""
        self.failed: dict[str, str] = {}
        self.versions: dict[str, dict[str, str]] = {}
        self.workers: dict[str, Worker] = {}
        self._stack = ExitStack()
        try:
            for spec in specs:
                try:
                    worker, self.versions[spec.name] = starter.start(spec, threads)
                except PeerError as error:
                    self.failed[spec.name] = str(error)
                    say(f"{spec.name}: left out: {error}")
                    continue
                self._stack.callback(worker.close)
                self.workers[spec.name] = worker
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def measure(
        self,
        name: str,
        pairs: Sequence[Pair],
        *,
        baseline: str,
        budget: float,
        most: int,
        least: Mapping[str, int] | None = None,
        without: Collection[str] = (),
    ) -> tuple[Times, dict[str, list[float]]]:
        """Let engines score the pairs in turns; return times, and logits of the warm-up."""
        logits: dict[str, list[float]] = {}

        def run(engine: str, number: int) -> float:
            answer = self.workers[engine].ask(
                do="score", name=name, logits=number == WARM_UP, rest=REST
            )
            if number == WARM_UP:
                logits[engine] = answer["logits"]
            return float(answer["seconds"])

        for engine in [engine for engine in self.workers if engine not in without]:
            try:
                self.workers[engine].ask(do="texts", name=name, pairs=pairs)
            except PeerError as error:
                self._drop(engine, str(error))
        asked = [engine for engine in self.workers if engine not in without]
        runs = {engine: (lambda number, engine=engine: run(engine, number)) for engine in asked}
        times = take_turns(runs, baseline=baseline, budget=budget, most=most, least=least)
        for engine, why in times.failed.items():
            self._drop(engine, why)
        return times, logits

    def facts(self) -> Mapping[str, dict[str, Any]]:
        """Return what the workers say about themselves."""
        found = {}
        for name, worker in list(self.workers.items()):
            try:
                found[name] = worker.ask(do="facts")
            except PeerError as error:
                self._drop(name, str(error))
        return found

    def leave_out(self, engine: str, why: str) -> None:
        """Ask an engine nothing more."""
        self._drop(engine, why)

    def _drop(self, engine: str, why: str) -> None:
        self.failed[engine] = why
        del self.workers[engine]  # the process itself is ended with the session
