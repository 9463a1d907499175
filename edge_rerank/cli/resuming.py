"""Going on after an earlier run: its lines are counted, and the last one is held to the input."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from edge_rerank.cli.leftovers import Leftover
from edge_rerank.cli.scoring import NULL, SKIP, STOP, Line, Members, Scorer
from edge_rerank.errors import InputError
from edge_rerank.reading.objects import Number, Record, parse_object

_NEAR = 0.2
"""Logits of the same pair by the same model, on whichever CPU; other models are further apart."""
AGAIN = "leave out --resume to start again, or name another --output"


def after_leftover(
    lines: Iterator[Line],
    leftover: Leftover,
    scorer: Scorer[str],
    members: Members,
    again: str = AGAIN,
) -> Iterator[Line]:
    """Skip the lines that an earlier run finished; the rest is to be scored.

    ``again`` is what messages advise where those are not to be gone on after.
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
                f"it is from another input; {again}"
            )
        if last.problem is not None and scorer.on_error == STOP:
            raise last.problem
        if last.problem is None or scorer.on_error != SKIP:
            done += 1
    assert last is not None
    _check_last(last, leftover, scorer, members, again)
    return lines


def _check_last(
    line: Line, leftover: Leftover, scorer: Scorer[str], members: Members, again: str
) -> None:
    where = f"{leftover.path}:{leftover.lines}"
    written, names = parse_object(leftover.last, where), members.names
    passed = {name: value for name, value in written.items() if name not in names}
    if passed != _fields(line.record, names) or not set(members.added) <= set(written):
        raise InputError(
            f"{where}: is not what score makes of {line.place} with these options: it is from "
            f"another input, or from other options; {again}"
        )
    if line.problem is None:
        then = [_number(written[name]) for name in (members.logit, members.score, members.tokens)]
        check_scores(line, then, where, scorer, again)


def _fields(record: Record | None, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in (record or {}).items() if name not in names}


def check_scores(
    line: Line, then: Sequence[float | None], where: str, scorer: Scorer[Any], again: str
) -> None:
    """Score a line again: what is made of two models' scores would be worth nothing.

    ``then`` are the logit, the score and the tokens of the earlier run, None where it had none.
    Raises InputError where they are of another model, or of other options.
    """
    if any(value is None for value in then) and scorer.on_error == NULL:
        return  # the model could not take it, and may now
    found = scorer.score(line)
    now = (found.logit, found.score, float(found.tokens))
    names = ("logit", "score", "number of tokens")
    for name, value, other, near in zip(names, then, now, (_NEAR, _NEAR, 0.0), strict=True):
        if value is None or abs(value - other) > near:
            raise InputError(
                f"{where}: has the {name} {value!r}, and this model gives {other:.6g}: it was "
                f"scored by another model, or with other options; {again}"
            )


def _number(value: object) -> float | None:
    return float(value.text) if isinstance(value, Number) else None
