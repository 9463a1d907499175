"""What the machine can do at most, and what the model asks of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from edge_rerank.errors import EngineError
from edge_rerank.native_library import load_library


@dataclass(frozen=True, slots=True)
class Peak:
    """Rates of all threads together."""

    threads: int
    kernel: str
    int8: float
    """Multiply-adds a second, in registers alone."""
    fp32: float
    """Multiply-adds a second, in registers alone."""
    bytes_read: float
    """Bytes a second, from memory."""

    def to_json(self) -> dict[str, float | int | str]:
        """Return the figures."""
        return asdict(self)


def measure_peaks(most_threads: int) -> list[Peak]:
    """Probe one thread, two and so on at once; empty where the native library was not built."""
    try:
        library = load_library()
    except EngineError:
        return []
    kernel = library.kernels[0]
    found = []
    for threads in range(1, most_threads + 1):
        with ThreadPoolExecutor(threads) as pool:
            figures = list(pool.map(library.peak, [kernel] * threads))
        found.append(Peak(threads, kernel, *map(sum, zip(*figures, strict=True))))
    return found


@dataclass(frozen=True, slots=True)
class Work:
    """Multiply-adds that a model's definition asks for, padding left out."""

    linear: int
    """Products with weights: int8 in an int8 model."""
    attention: int
    """Products of activations with one another, and with the relative-position tables."""


def work_of(shape: Mapping[str, Any], tokens: int, squares: int) -> Work:
    """Count for pairs of ``tokens`` in all; ``squares`` is the sum of their lengths' squares.

    ``shape`` is an artifact's architecture, as its manifest has it.

    Attention is two products a layer, queries with keys and weights with values, and one more for
    each relative term; in each, every token with every token of its pair, or, in a layer of local
    attention, with those of its window at most. The tables' own projections do not depend on the
    pair and are left out, as is the head, which reads one token.
    """
    hidden, layers = shape["hidden_size"], shape["layers"]
    feed_forward = 3 if shape.get("feed_forward", {}).get("kind") == "gated" else 2
    token = 4 * hidden**2 + feed_forward * hidden * shape["intermediate_size"]
    products = 2 + len(_relative_terms(shape))
    local = shape.get("local_attention") or {"layers": (), "reach": 0}
    near = min(squares, tokens * (2 * local["reach"] + 1))
    met = (layers - len(local["layers"])) * squares + len(local["layers"]) * near
    return Work(
        linear=layers * token * tokens,
        attention=products * shape["heads"] * shape["head_size"] * met,
    )


def _relative_terms(shape: Mapping[str, Any]) -> set[str]:
    """Name the terms of relative positions; records of older releases have them by another name."""
    if "pos_att_type" in shape:
        return set(shape["pos_att_type"])
    return set((shape["positions"]["relative"] or {"terms": ()})["terms"])


def least_seconds(work: Work, peak: Peak, precision: str) -> float | None:
    """Return the time that the products alone take at the peak; None where no peak is known."""
    if precision not in ("int8", "fp32"):
        return None  # the probe knows nothing of bf16
    rate = peak.int8 if precision == "int8" else peak.fp32
    return work.linear / rate + work.attention / peak.fp32


def memory_bytes() -> int | None:
    """Return the machine's memory; None where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None
