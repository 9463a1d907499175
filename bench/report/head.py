"""The report's beginning: the machine, its peak, and how everything was measured."""

from __future__ import annotations

from ..run.results import FILE
from ..run.session import REST
from .tables import Record

_HOW = (
    "every engine in a process of its own, all taking turns round by round, text in and "
    f"scores out, each after a rest of {REST:g} s. A ratio is the median of those taken round "
    "by round, with quartiles. Slow engines ran in fewer rounds; a row of one run has no "
    "spread. The load noted after each section says how crowded the machine was. Padded "
    "batches: 16 pairs sorted by length for bare runtimes, 32 in arrival order for programs "
    "as first written; libraries batch as they do by themselves."
)


def head(record: Record) -> str:
    """Return everything up to the first table."""
    machine = record["machine"]
    points = {
        "Machine": _machine(record),
        "Peak, measured by the built-in probe": _peaks(record),
        "How": _HOW,
        "Text": f"Python {machine['python']}'s own documentation, markup removed; SHA-256 "
        f"{machine['texts_sha256'][:16]}….",
        "Models": "; ".join(_shape(name, shape) for name, shape in sorted(record["shapes"].items()))
        + ".",
    }
    lines = "\n".join(f"- **{name}**: {text}" for name, text in points.items())
    return (
        "# edge-rerank beside its peers\n\n"
        f"Written by `python -m edge_rerank_bench report`; all that was measured is in "
        f"[{FILE}]({FILE}), from which `--render-only` makes this page again.\n\n{lines}"
    )


def _machine(record: Record) -> str:
    machine = record["machine"]
    memory = machine["memory_bytes"]
    parts = (
        f"{machine['cpu']} ({machine['machine']}; {' '.join(machine['features'])})",
        f"{machine['usable_threads']} CPUs usable",
        f"{memory / 2**30:.0f} GiB" if memory else "memory unknown",
        machine["system"],
        f"Python {machine['python']}",
    )
    return ", ".join(parts) + "."


def _peaks(record: Record) -> str:
    if not record["peaks"]:
        return "not measured, the native library is missing."
    found = (
        f"{peak['threads']} thread{'s' if peak['threads'] > 1 else ''}: "
        f"{peak['int8'] / 1e9:,.0f} G int8 and {peak['fp32'] / 1e9:,.0f} G fp32 multiply-adds/s, "
        f"{peak['bytes_read'] / 1e9:.0f} GB/s"
        for peak in record["peaks"]
    )
    return f"{'; '.join(found)} (kernel {record['peaks'][0]['kernel']})."


def _shape(name: str, shape: Record) -> str:
    architecture = shape["architecture"]
    return (
        f"{name}: {shape['title']}, {architecture['layers']} layers of "
        f"{architecture['hidden_size']}, {architecture['heads']} heads, "
        f"vocabulary of {architecture['vocab_size']:,}"
    )
