"""Plots as SVG, the same bytes for the same record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..peers.catalogue import BASELINE
from .figures import spread, turns
from .tables import Record, in_order

_SETTINGS: Any = {
    "svg.hashsalt": "edge-rerank",  # otherwise ids are random
    "svg.fonttype": "none",  # text as text: small, and searchable
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_SIZE = (7.2, 3.8)
_COLOURS = ("#d62728", "#ff9896", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b")


def by_passages(record: Record, entries: Sequence[Record], file: Path) -> None:
    """Draw milliseconds a passage over the number of passages."""
    points = [(float(entry["pairs"]), entry) for entry in entries]
    _curves(record, points, file, "passages of one query", "milliseconds a passage")


def by_length(record: Record, entries: Sequence[Record], file: Path) -> None:
    """Draw milliseconds a passage over its length, query included."""
    points = [(entry["tokens"] / entry["pairs"], entry) for entry in entries]
    _curves(record, points, file, "tokens of query and passage", "milliseconds a passage")


def bars(record: Record, entry: Record, file: Path) -> None:
    """Draw tokens a second of every engine on a stream of pairs."""
    found = {name: spread(list(turns(entry, name).values())) for name in entry["seconds"]}
    names = [name for name in in_order(record, found) if found[name] is not None]
    names.reverse()
    with _figure(0.6 + 0.28 * len(names)) as (figure, axes):
        rates = [
            entry["tokens"] / measured.p50
            for name in names
            if (measured := found[name]) is not None
        ]
        colours = [_COLOURS[0 if name == BASELINE else 2] for name in names]
        axes.barh(range(len(names)), rates, color=colours)
        axes.set_yticks(range(len(names)), [record["engines"][name]["label"] for name in names])
        axes.tick_params(labelsize=8)
        axes.set_xlabel("tokens a second")
        _save(figure, file)


def _curves(
    record: Record, points: Sequence[tuple[float, Record]], file: Path, x: str, y: str
) -> None:
    names = in_order(record, {name for _, entry in points for name in entry["seconds"]})
    with _figure(_SIZE[1]) as (figure, axes):
        for name, colour in zip(names, _COLOURS, strict=False):
            curve = [
                (place, found.p50 / entry["pairs"] * 1000)
                for place, entry in points
                if (found := spread(list(turns(entry, name).values()))) is not None
            ]
            axes.plot(*zip(*curve, strict=True), marker="o", markersize=3, color=colour,
                      label=record["engines"][name]["label"])  # fmt: skip
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.legend(fontsize=8, frameon=False)
        _save(figure, file)


class _figure:  # noqa: N801  a context manager, used like a function
    """A figure with our settings, closed afterwards; needs matplotlib and no display."""

    def __init__(self, height: float) -> None:
        import matplotlib

        self._settings: Any = matplotlib.rc_context(_SETTINGS)
        self._height = height

    def __enter__(self) -> tuple[Any, Any]:
        from matplotlib.figure import Figure

        self._settings.__enter__()
        figure = Figure(figsize=(_SIZE[0], self._height), layout="constrained")
        return figure, figure.subplots()

    def __exit__(self, *error: Any) -> None:
        self._settings.__exit__(*error)


def _save(figure: Any, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
