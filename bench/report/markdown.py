"""Tables in Markdown, and figures as a person reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .figures import Spread

NONE = ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table: the first column to the left, the others to the right."""
    marks = ["---", *("---:" for _ in head[1:])]
    lines = [head, marks, *rows]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines)


def seconds(value: float | None) -> str:
    """Return a duration with three digits, in milliseconds or seconds."""
    if value is None:
        return NONE
    if value < 0.9995:
        return f"{digits(value * 1000)} ms"
    return f"{digits(value)} s"


def digits(value: float) -> str:
    """Return three significant digits, without an exponent."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(ratio: Spread | None) -> str:
    """Return a ratio with its quartiles; they say nothing when there is but one round."""
    if ratio is None:
        return NONE
    if ratio.count == 1:
        return f"{ratio.p50:.2f}"
    return f"{ratio.p50:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"


def share(value: float | None, places: int = 0) -> str:
    """Return a share in per cent."""
    return NONE if value is None else f"{value:.{places}%}"


def megabytes(value: float | None) -> str:
    """Return bytes in MB, a million each."""
    return NONE if value is None else f"{value / 1e6:,.0f} MB"


def mebibytes(value: float | None) -> str:
    """Return bytes in MiB, as systems count memory."""
    return NONE if value is None else f"{value / 2**20:,.0f} MiB"


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
