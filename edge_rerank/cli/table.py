"""Results as a table that fits the terminal, wide and combining characters included."""

from __future__ import annotations

import shutil
import sys
import unicodedata
from collections.abc import Sequence

from edge_rerank.results import Document, RankedDocument

_PIPED_WIDTH = 100  # where the output is no terminal


def print_table(
    ranked: Sequence[RankedDocument[Document]], *, text_field: str, logits: bool
) -> None:
    """Print results, best first, a line each; ``*`` marks texts that were not read whole.

    Of a document that was read in several windows the best one is shown.
    """
    rows = [("rank", "logit" if logits else "score", "document")]
    for place, result in enumerate(ranked, 1):
        mark = "*" if result.truncated else ""
        rows.append((f"{place}{mark}", f"{result.score:.4f}", _shown(result, text_field)))
    if len(rows) == 1:
        return
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    room = max(20, _width() - first - second - 4)
    for rank, score, text in rows:
        print(f"{rank:>{first}}  {score:>{second}}  {fitted(text, room)}".rstrip())
    cut = sum(result.truncated for result in ranked)
    windows = sum(len(result.windows) for result in ranked)
    if cut and windows:
        print(f"* {cut} of {len(ranked)} were not read whole (--max-windows)")
    elif cut:
        print(f"* {cut} of {len(ranked)} did not fit into the model's maximum length whole")
    if windows > len(ranked):
        tokens = sum(result.tokens for result in ranked)
        print(f"read in {windows:,} windows, {tokens:,} tokens in all; the best of each is shown")


def fitted(text: str, width: int) -> str:
    """Return ``text`` as one line of at most ``width`` columns, without control characters."""
    # Far more characters than columns are looked at, as some take none; not all of a long text.
    line = " ".join("".join(map(_visible, text[: 8 * width])).split())
    if sum(map(columns, line)) <= width:
        return line
    used = 0
    for place, char in enumerate(line):
        used += columns(char)
        if used >= width:
            return line[:place].rstrip() + "…"
    return line


def columns(char: str) -> int:
    """Return how many terminal columns a character takes: 0, 1 or 2."""
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _visible(char: str) -> str:
    # Escape sequences in a document must not drive the terminal, nor must marks that turn the
    # direction of what follows.
    category = unicodedata.category(char)
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if category in ("Cs", "Cf") and char != "\u200d" else char


def _shown(result: RankedDocument[Document], text_field: str) -> str:
    text, window = _text(result, text_field), result.window
    if window is None or len(result.windows) == 1:
        return text
    return f"[{window.start}:{window.end}] {text[window.start : window.end]}"


def _text(result: RankedDocument[Document], text_field: str) -> str:
    document = result.document
    if document is None or isinstance(document, str):
        return document or ""
    return str(document[text_field])


def _width() -> int:
    if not sys.stdout.isatty():
        return _PIPED_WIDTH
    return shutil.get_terminal_size((80, 24)).columns
