"""What commands share about long texts: options, and what is shown of windows."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from edge_rerank.cli.parser import number, whole_number
from edge_rerank.errors import InputError
from edge_rerank.results import Window, best_window
from edge_rerank.windows.options import LONG_DOCUMENTS, Windows

_OPTIONS = {
    "overlap": "--window-overlap",
    "mean_of_best": "--mean-of-best",
    "max_windows": "--max-windows",
}


def add_long_document_options(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Add the options that say how texts are read that are longer than the model.

    With ``several`` the first of them may be repeated, and holds a list, or None.
    """
    again = "; if repeated, every model reads in each way" if several else ""
    parser.add_argument(
        "--long-documents",
        action="append" if several else "store",
        choices=LONG_DOCUMENTS,
        default=None if several else "truncate",
        help="cut what does not fit, or read all of it in windows and take the best window's "
        f"score (default: truncate{again})",
    )
    parser.add_argument(
        "--window-overlap",
        type=number,
        dest="overlap",
        metavar="SHARE",
        help=f"share of a window that the next one reads again (default: {Windows().overlap:g})",
    )
    parser.add_argument(
        "--mean-of-best",
        type=whole_number,
        metavar="K",
        help="score a document by the mean of its K best windows (default: 1, the best)",
    )
    parser.add_argument(
        "--max-windows",
        type=whole_number,
        metavar="N",
        help=f"most windows of a document (default: {Windows().max_windows})",
    )
    parser.add_argument(
        "--query-max-tokens",
        type=whole_number,
        metavar="N",
        help="cut queries to this many tokens (default: half of a window, where both are long)",
    )


def long_document_arguments(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of ``Reranker.rank`` and ``score`` that the options mean."""
    (how,) = _ways(options, [options.long_documents])
    return {"long_documents": how, "query_max_tokens": options.query_max_tokens}


def ways_of_reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the keyword arguments of ``compare`` that the options mean."""
    ways = _ways(options, options.long_documents or ["truncate"])
    return {"long_documents": ways, "query_max_tokens": options.query_max_tokens}


def _ways(options: argparse.Namespace, named: Sequence[str]) -> list[Windows | str]:
    values = {name: getattr(options, name) for name in _OPTIONS}
    chosen = {name: value for name, value in values.items() if value is not None}
    if chosen and "windows" not in named:
        option = _OPTIONS[next(iter(chosen))]
        raise InputError(f"{option} says something of windows; add --long-documents windows")
    return [Windows(**chosen) if name == "windows" else name for name in named]


def window_facts(windows: Sequence[Window]) -> dict[str, Any]:
    """Return what a JSON line shows of a document's windows; nothing without any."""
    best = best_window(windows)
    return {} if best is None else {"windows": len(windows), "window": [best.start, best.end]}
