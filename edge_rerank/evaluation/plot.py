"""Quality over time as one SVG file: no script, no font, no library, readable by screen readers.

Every system is a circle with a number, so that nothing is told by colour alone; the list beside the
axes has its name and figures, and so has the description.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from edge_rerank.evaluation.figures import ModelComparison, System, milliseconds
from edge_rerank.evaluation.measures import MEASURES

_MEASURE = MEASURES[0]
_LEFT, _TOP, _WIDE, _HIGH = 72, 64, 430, 330  # of the axes' field
_LIST = _LEFT + _WIDE + 34
_TOTAL = _LIST + 330
_ROW = 44
_NAME = 38  # characters of a name in the list
_COLOURS = ("#0072b2", "#a33b00", "#00664a", "#8a2f6b", "#5b4b00", "#333333")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Scale:
    """From a value to a place in the picture."""

    low: float
    high: float
    start: float
    length: float

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * self.length


@dataclass(frozen=True, slots=True)
class _Point:
    """A system in the picture."""

    number: int
    system: System

    @property
    def colour(self) -> str:
        return _COLOURS[(self.number - 1) % len(_COLOURS)]

    @property
    def seconds(self) -> float | None:
        time = self.system.query_time
        return None if time is None else max(time.median, 1e-6)


def plot(comparison: ModelComparison) -> str:
    """Return the picture; systems that failed are not in it."""
    whole = [system for system in comparison.systems if system.measures]
    points = [_Point(number, system) for number, system in enumerate(whole, 1)]
    several = len(comparison.first_stages) > 1
    height = max(_TOP + _HIGH + 76, _TOP + _ROW * len(points) + 20)
    title = f"{_MEASURE} over the time of a query: {comparison.collection}"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_TOTAL} {height}" '
        f'width="{_TOTAL}" height="{height}" role="img" aria-labelledby="title description" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#222">',
        f'<title id="title">{_text(title)}</title>',
        f'<desc id="description">{_text(_description(comparison, points, several))}</desc>',
        f'<rect width="{_TOTAL}" height="{height}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="26" font-size="16" font-weight="600">{_text(title)}</text>',
        f'<text x="{_LEFT}" y="46" fill="#555">{_text(_subtitle(comparison))}</text>',
        *_axes_and_points(points),
        *(line for point in points for line in _list_entry(point, several)),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _axes_and_points(points: Sequence[_Point]) -> Iterator[str]:
    times = [point.seconds for point in points if point.seconds is not None]
    across = _log_scale([time * 1000 for time in times] or [1.0])
    figures = [point.system.measures[_MEASURE] for point in points]
    up = _value_scale([figure.low for figure in figures], [figure.high for figure in figures])
    yield '<g stroke="#ddd" stroke-width="1" font-size="12" fill="#555">'
    yield from _grid(across, up)
    yield "</g>"
    yield (
        f'<text x="{_LEFT + _WIDE / 2}" y="{_TOP + _HIGH + 46}" text-anchor="middle">'
        "time of a query: the median, in milliseconds, on a logarithmic scale</text>"
    )
    middle = _TOP + _HIGH / 2
    yield (
        f'<text x="18" y="{middle}" text-anchor="middle" transform="rotate(-90 18 {middle})">'
        f"{_MEASURE}, with its 95 % interval</text>"
    )
    for point in points:
        yield from _drawn(point, across, up)


def _grid(across: _Scale, up: _Scale) -> Iterator[str]:
    bottom = _TOP + _HIGH
    for value in _log_ticks(across):
        x = _number(across.place(math.log10(value)))
        yield f'<path d="M{x} {_TOP}V{bottom}"/>'
        yield _label(x, bottom + 18, "middle", f"{value:,.10g}")
    for value in _ticks(up):
        y = up.place(value)
        yield f'<path d="M{_LEFT} {_number(y)}H{_LEFT + _WIDE}"/>'
        yield _label(str(_LEFT - 8), y + 4, "end", f"{value:.3f}".rstrip("0").rstrip("."))


def _label(x: str, y: float, anchor: str, text: str) -> str:
    return f'<text x="{x}" y="{_number(y)}" text-anchor="{anchor}" stroke="none">{text}</text>'


def _drawn(point: _Point, across: _Scale, up: _Scale) -> Iterator[str]:
    """Draw a system as a circle with its interval; one without a time as a line all across."""
    figure = point.system.measures[_MEASURE]
    y, low, high = (_number(up.place(value)) for value in (figure.mean, figure.low, figure.high))
    tip = f"<title>{_text(f'{point.system.name}: {_figures(point)}')}</title>"
    if point.seconds is None:
        yield (
            f'<g stroke="{point.colour}" stroke-width="1.5">{tip}'
            f'<path d="M{_LEFT} {y}H{_LEFT + _WIDE}" stroke-dasharray="6 4"/></g>'
        )
        x = str(_LEFT + 14)
    else:
        x = _number(across.place(math.log10(point.seconds * 1000)))
        yield f'<path d="M{x} {low}V{high}" stroke="{point.colour}" stroke-width="1.5"/>'
    yield f"<g>{tip}{_circle(x, y, point)}</g>"


def _circle(x: str, y: str, point: _Point) -> str:
    """Draw the number on its ground: a ring for a first stage alone, else a full circle."""
    inside, ink = (point.colour, "#fff") if point.system.reranked else ("#fff", point.colour)
    return (
        f'<circle cx="{x}" cy="{y}" r="9" fill="{inside}" stroke="{point.colour}" '
        f'stroke-width="2"/><text x="{x}" y="{y}" dy="4" text-anchor="middle" font-size="11" '
        f'font-weight="600" fill="{ink}">{point.number}</text>'
    )


def _list_entry(point: _Point, several: bool) -> Iterator[str]:
    y = _TOP + 12 + _ROW * (point.number - 1)
    name = _name(point.system, several)
    short = name if len(name) <= _NAME else f"{name[: _NAME - 1]}…"
    yield _circle(str(_LIST), str(y), point)
    yield f'<text x="{_LIST + 18}" y="{y + 1}" font-weight="600">{_text(short)}</text>'
    figures = _text(_figures(point))
    yield f'<text x="{_LIST + 18}" y="{y + 18}" fill="#555" font-size="12">{figures}</text>'


def _name(system: System, several: bool) -> str:
    """Return a system's name, and with several first stages that of its own."""
    return (
        f"{system.name} after {system.first_stage}" if several and system.reranked else system.name
    )


def _figures(point: _Point) -> str:
    figure = point.system.measures[_MEASURE]
    quality = f"{figure.mean:.3f} ({figure.low:.3f} to {figure.high:.3f})"
    if point.seconds is None:
        return f"{quality}, time not known"
    return f"{quality}, {milliseconds(point.seconds)} ms"


def _subtitle(comparison: ModelComparison) -> str:
    return (
        f"{comparison.queries:,} queries, {comparison.documents:,} documents, at most "
        f"{comparison.depth:,} of a query reranked"
    )


def _description(comparison: ModelComparison, points: Sequence[_Point], several: bool) -> str:
    rows = (
        f"{point.number}, {_name(point.system, several)}: {_figures(point)}" for point in points
    )
    return (
        f"{_subtitle(comparison)}. Each system with the mean of its {_MEASURE}, the 95 % interval "
        f"of that, and the median time of a query. {'. '.join(rows)}."
    )


def _log_scale(values: Sequence[float]) -> _Scale:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.08 * (high - low), 0.18)
    return _Scale(low - room, high + room, _LEFT, _WIDE)


def _value_scale(lows: Sequence[float], highs: Sequence[float]) -> _Scale:
    low, high = min(lows, default=0.0), max(highs, default=1.0)
    room = max(0.06 * (high - low), 0.01)
    return _Scale(low - room, high + room, _TOP + _HIGH, -_HIGH)


def _log_ticks(scale: _Scale) -> list[float]:
    """Return 1, 2 and 5 times powers of ten; over more than two decades the powers alone."""
    factors = (1, 2, 5) if scale.high - scale.low <= 2 else (1,)
    powers = range(math.floor(scale.low), math.ceil(scale.high) + 1)
    values = [factor * 10.0**power for power in powers for factor in factors]
    return [value for value in values if scale.low <= math.log10(value) <= scale.high]


def _ticks(scale: _Scale) -> list[float]:
    """Return four to ten round values."""
    rough = (scale.high - scale.low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(scale.low / step), math.floor(scale.high / step)
    return [number * step for number in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.1f}"


def _text(text: str) -> str:
    """Return text as XML can hold it."""
    return escape(_NOT_XML.sub("\ufffd", text))
