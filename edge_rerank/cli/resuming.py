"""Going on after an earlier run: its lines are counted, and the last one is held to the input."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from edge_rerank.cli.leftovers import Leftover
from edge_rerank.cli.scoring import NULL, SKIP, STOP, Line, Scorer
from edge_rerank.errors import InputError
from edge_rerank.reading.objects import Number, Record, parse_object

_NEAR = 0.2
"""Logits of the same pair by the same model, on whichever CPU; other models are further apart."""
_AGAIN = "leave out --resume to start again, or name another --output"


def after_leftover(lines: Iterator[Line], leftover: Leftover, scorer: Scorer) -> Iterator[Line]:
    """Skip the lines that an earlier run finished; the rest is to be scored.

    Raises InputError where they are not from this input, this model or these options.
    """
    if not leftover.lines:
        return lines
    last: Line | None = None
    done = 0
    while done < leftover.lines:
        last = next(lines, None)
        if last is None:
            raise InputError(
                f"{leftover.path}: has {leftover.lines:,} lines, and the input only {done:,}: "
                f"it is from another input; {_AGAIN}"
            )
        if last.problem is not None and scorer.on_error == STOP:
            raise last.problem
        if last.problem is None or scorer.on_error != SKIP:
            done += 1
    assert last is not None
    _check_last(last, leftover, scorer)
    return lines


def _check_last(line: Line, leftover: Leftover, scorer: Scorer) -> None:
    where = f"{leftover.path}:{leftover.lines}"
    written, names = parse_object(leftover.last, where), scorer.members.names
    passed = {name: value for name, value in written.items() if name not in names}
    if passed != _fields(line.record, names) or not set(scorer.members.added) <= set(written):
        raise InputError(
            f"{where}: is not what score makes of {line.place} with these options: it is from "
            f"another input, or from other options; {_AGAIN}"
        )
    if line.problem is None:
        _check_scores(line, written, where, scorer)


def _fields(record: Record | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in (record or {}).items() if name not in names}


def _check_scores(line: Line, written: Record, where: str, scorer: Scorer) -> None:
    """Score the last line again: a file of two models' scores would be worth nothing."""
    members, again = scorer.members, scorer.score(line)
    now = (again.logit, again.score, float(again.tokens))
    then = [_number(written[name]) for name in (members.logit, members.score, members.tokens)]
    if any(value is None for value in then) and scorer.on_error == NULL:
        return  # the model could not take it, and may now
    if not all(
        value is not None and abs(value - other) <= near
        for value, other, near in zip(then, now, (_NEAR, _NEAR, 0.0), strict=True)
    ):
        raise InputError(
            f"{where}: has the logit {written[members.logit]!r}, and this model gives "
            f"{again.logit:.6g}: it was scored by another model, or with other options; {_AGAIN}"
        )


def _number(value: object) -> float | None:
    return float(value.text) if isinstance(value, Number) else None
