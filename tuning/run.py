"""A run from end to end: read, export as it is, train, export again, compare, publish."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from edge_rerank.cli.failures import UnfinishedError
from edge_rerank.errors import EdgeRerankError
from edge_rerank.evaluation.figures import ModelComparison
from edge_rerank.machine.threads import resolve_threads
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank_export.pipeline import ExportOptions, export_model
from edge_rerank_export.quiet import quiet
from edge_rerank_export.tokenizer import tokenizer_file
from edge_rerank_training.precision import chosen_precision
from edge_rerank_training.train import keep_freed_memory

from .data import Data, read_data
from .device import PROCESSOR, usable_device
from .examples import JudgedQuery
from .interrupts import heard
from .lists import Draws
from .loop import Recipe, Training
from .losses import combined, distillation, loss_name
from .model import TunedModel
from .options import TuneOptions
from .place import Place
from .progress import Progress, Told
from .publishing import keep_checkpoint, room
from .report import check_finished, facts_of, training_facts
from .source import checkpoint_of, keep_artifact
from .state import StateFile, begun_with
from .teaching import Teacher, taught, teacher_facts
from .validation import Validation
from .verdict import NO_STEP, Verdict, compared, verdict_of

if TYPE_CHECKING:
    from edge_rerank_export.checkpoint import Checkpoint

_NO_ERROR = 1e9  # sigma: the artifact before is there to be compared with, however it came out
Shown = Callable[[ModelComparison], None]


def tune(options: TuneOptions, told: Told, shown: Shown) -> dict[str, Any]:
    """Return the report; ``shown`` gets the comparison of both models.

    Raises InputError for data and options, CheckpointError for the checkpoint, both before any
    work, and UnfinishedError where a run ends that --resume can go on with.
    """
    if options.device is not None:
        usable_device(options.device)
    data = read_data(options, told.say)
    place = Place(options.output, resume=options.resume)
    if (finished := place.finished) is not None:
        check_finished(finished, options, data)
        return finished
    try:
        report = place.judged or _Run(options, data, place, told).report(shown)
        place.publish(report)
        return report
    except (EdgeRerankError, KeyboardInterrupt, OSError, MemoryError) as error:
        if not place.begun:
            raise
        note = f"what is done lies in {options.output}; the same command with --resume goes on"
        raise UnfinishedError(error, note) from error
    finally:
        place.close()


class _Run:
    def __init__(self, options: TuneOptions, data: Data, place: Place, told: Told) -> None:
        self._options, self._data, self._place, self._told = options, data, place, told
        self._checkpoint: Checkpoint = checkpoint_of(options, place)
        scoring = self._checkpoint.scoring
        two = self._checkpoint.layout.relevant is not None
        self._activation = scoring.activation(options.activation, two_logits=two)
        prompt = scoring.prompt(options.prompt)
        threads: int | None = begun_with(place.work, "--threads")
        self._threads = resolve_threads(options.threads or threads)
        self._device = _device(options.device, begun_with(place.work, "--device"))
        self._precision = options.precision
        if self._precision == "auto":
            self._precision = begun_with(place.work, "--precision") or "auto"
        torch.set_num_threads(self._threads)
        place.check_room(room(self._checkpoint))
        limit = self._checkpoint.max_length
        self._tokenizer = PairTokenizer(
            tokenizer_file(self._checkpoint, place.work),
            max_length=min(options.max_length or limit, limit),
            threads=self._threads,
            prompt=prompt,
        )
        self._validation = Validation(
            data.validate, self._tokenizer, self._checkpoint.architecture.pad_token_id, options.seed
        )
        self._loss = loss_name(options, data.train.kind)
        self._teacher: Teacher | None = None
        self._begun = {
            "checkpoint": self._checkpoint.sha256(),
            "--train": data.train.sha256(),
            "--validate": data.validate.sha256(),
            "--collection": replace(data.train, queries=data.synthetic).sha256(),
            **options.deciding(),
        }

    def report(self, shown: Shown) -> dict[str, Any]:
        """Do all the work that is left, and say what came of it."""
        options, place, told = self._options, self._place, self._told
        place.keep_begun(self._begun)
        if not keep_artifact(options, place):
            self._export(options.checkpoint, place.before, "before", poor=True)
        training = self._train()
        facts = self._facts(training.progress)
        best = training.progress.best
        if best.step == 0:
            return facts | Verdict(NO_STEP, None).to_json() | {"model": None, "comparison": None}
        keep_checkpoint(self._checkpoint, training.best, place)
        del training  # its weights and moments: the exporter needs the memory
        self._export(str(place.checkpoint), place.after, "after", poor=False)
        total = 2 * self._validation.pairs
        found = compared(
            (place.before, place.after),
            self._validation,
            self._data.validate.name,
            self._threads,
            Told(told.say, lambda what, done, _: told.show(what, done, total)),
        )
        shown(found)
        verdict = verdict_of(found)
        good = verdict.better or options.allow_not_better
        model = "model" if good else "model-not-better"
        comparison = found.to_json()
        paths = (options.checkpoint, f"{options.output}/{model}")
        for one, path in zip(comparison["models"], paths, strict=True):
            one["path"] = path  # the artifacts themselves lie in the unfinished part
        for stage in comparison["first_stages"]:
            stage["run"] = None
        return facts | verdict.to_json() | {"model": model, "comparison": comparison}

    def _export(self, model: str, target: Any, name: str, *, poor: bool) -> None:
        if target.exists():  # it appeared whole, in a run before this one
            return
        options = self._options
        self._told.say(f"exporting the model {name}")
        export_model(
            model,
            target,
            ExportOptions(
                name=self._name() if name == "after" else None,
                revision=options.revision if name == "before" else None,
                activation=options.activation,
                relevant_label=options.relevant_label,
                prompt=options.prompt,
                max_length=options.max_length,
                max_error=_NO_ERROR if poor else ExportOptions().max_error,
                allow_poor_parity=poor,
            ),
            report=lambda line: None,
        )

    def _name(self) -> str:
        return f"{self._checkpoint.name.split('/')[-1]}-tuned"

    def _train(self) -> Training:
        options, data = self._options, self._data
        keep_freed_memory()
        self._precision = chosen_precision(self._precision, self._device)
        begun = {
            **self._begun,
            "--device": self._device,
            "--precision": self._precision,
            "--threads": self._threads,
        }
        queries = data.train.queries
        if options.distils:
            queries, self._teacher = self._taught()
            loss = distillation(self._teacher.spread)
        else:
            absolute = self._activation == "sigmoid"
            loss = combined(self._loss, data.train.highest, absolute=absolute)
        draws = Draws(queries, options.passages_per_list, options.seed)
        with quiet():
            model = TunedModel(
                self._checkpoint, self._precision, self._device, upper_half=options.distils
            )
        training = Training(
            model,
            self._tokenizer,
            draws,
            self._validation,
            loss,
            Recipe(
                options.epochs_of(draws.pairs),
                options.highest_rate,
                options.patience,
                options.seed,
                options.save_seconds,
            ),
            StateFile(self._place.work, begun),
            self._told,
        )
        if not training.progress.done:
            made = f" and {len(data.synthetic):,} made ones" if data.synthetic else ""
            self._told.say(
                f"training on {len(data.train.queries):,} judged queries ({data.train.kind})"
                f"{made}, loss {self._loss}, products in "
                f"{self._precision} on {self._device}, {training.steps:,} steps at most; an "
                f"evaluation every {training.every:,}"
            )
            with heard() as wish, quiet():
                training.run(wish)
        return training

    def _taught(self) -> tuple[tuple[JudgedQuery, ...], Teacher]:
        queries, teacher = taught(
            self._data.train.queries,
            self._data.synthetic,
            self._place.before,
            size=self._options.passages_per_list,
            threads=self._threads,
            work=self._place.work,
            told=self._told,
        )
        self._told.say(teacher.sentence())
        return queries, teacher

    def _facts(self, progress: Progress) -> dict[str, Any]:
        return {
            **facts_of(self._checkpoint, self._data, self._options),
            "loss": self._loss,
            "teacher": teacher_facts(self._teacher),
            "synthetic_queries": len(self._data.synthetic),
            "device": self._device,
            "precision": self._precision,
            "threads": self._threads,
            "training": training_facts(progress),
        }


def _device(asked: str | None, begun: str | None) -> str:
    """Return the device that is asked for, or else the one that the run was begun with."""
    if asked is None and begun is not None:
        return usable_device(begun, begun=True)
    return usable_device(asked or PROCESSOR)
