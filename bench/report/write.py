"""The report: Markdown with tables and plots, from the record beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..run.limits import work_of
from ..run.plan import FAMILIES
from ..run.results import FILE, ResultsError, read_results
from . import plots, tables
from .head import head
from .markdown import NONE, digits, table
from .tables import Record, in_order, label, measured, title

REPORT = "README.md"
_NONE = "Nothing was measured for this yet.\n"


def render(folder: Path) -> list[Path]:
    """Write the report of a folder's record; return the files. Raises ResultsError."""
    record = read_results(folder)
    if not record["measurements"]:
        raise ResultsError(f"{folder / FILE}: holds no measurements")
    files = list(_plots(record, folder))
    text = "\n\n".join(part.rstrip() for part in _parts(record, {file.name for file in files}))
    report = folder / REPORT
    report.write_text(text + "\n", "utf-8", newline="\n")
    return [report, *files]


def _plots(record: Record, folder: Path) -> Iterator[Path]:
    by_passages, by_length = _growth(record)
    streams = measured(record, "stream")
    for name, entries, draw in (
        ("passages.svg", by_passages, plots.by_passages),
        ("lengths.svg", by_length, plots.by_length),
    ):
        if entries:
            draw(record, entries, folder / name)
            yield folder / name
    if streams:
        plots.bars(record, streams[0], folder / "throughput.svg")
        yield folder / "throughput.svg"


def _growth(record: Record) -> tuple[list[Record], list[Record]]:
    entries = measured(record, "growth")
    words = 60  # the passages whose number grows; see run.costs.growth
    return (
        [entry for entry in entries if entry["words"] == words],
        [entry for entry in entries if entry["words"] != words],
    )


def _parts(record: Record, plots_there: set[str]) -> Iterator[str]:
    yield head(record)
    yield from _throughput(record, plots_there)
    yield from _latency(record)
    yield from _begin(record)
    yield from _growing(record, plots_there)
    yield from _inside(record)
    yield from _families(record)
    yield from _other_shapes(record)
    yield from _appendix(record)


def _throughput(record: Record, plots_there: set[str]) -> Iterator[str]:
    yield "## Throughput and accuracy"
    for entry in measured(record, "stream"):
        accuracy = record["accuracy"].get(entry["shape"], {})
        reference = accuracy.get("reference")
        yield (
            f'{title(entry)}, {entry["threads"]} threads. "Of the limit" is the time that the '
            "model's multiply-adds take at the machine's peak (linear products at the int8 peak in "
            "an int8 model, all else at the fp32 peak) over the time taken; bf16 has no probe. "
            "Errors are of the same run's logits "
            + (
                f"against {label(record, reference)}, in sigma, the standard deviation of its "
                "logits; tau is Kendall's, over all pairs."
                if reference
                else "and were not measured."
            )
        )
        yield tables.throughput(record, entry)
    if "throughput.svg" in plots_there:
        yield "![tokens a second of every engine](throughput.svg)"
    if not measured(record, "stream"):
        yield _NONE


def _latency(record: Record) -> Iterator[str]:
    yield "## Latency of one query"
    entries = measured(record, "latency")
    cores = {name for name, engine in record["engines"].items() if engine["core"]}
    rest = []
    for entry in entries:
        if set(entry["seconds"]) | set(entry["failed"]) <= cores:
            rest.append(entry)
            continue
        yield f"### {title(entry)}, {entry['threads']} threads"
        yield tables.latency(record, entry)
    if rest:
        yield f"### All lengths, the main engines, {rest[0]['threads']} threads"
        yield "Medians, and times ours with quartiles."
        yield tables.side_by_side(record, rest)
    for entry in measured(record, "one-thread")[:1]:
        yield f"### {entry['threads']} thread"
        yield tables.side_by_side(record, measured(record, "one-thread"))
    if not entries:
        yield _NONE


def _begin(record: Record) -> Iterator[str]:
    yield "## Cold start, memory, disk"
    if not record["cold"]:
        yield _NONE
        return
    starts = sorted({len(entry["seconds"]) for entry in record["cold"] if entry["seconds"]})
    yield (
        "A new process, from its start to the scores of 10 passages of 60 words, files in the "
        f"system's cache: the median of {' to '.join(map(str, starts[:: max(1, len(starts) - 1)]))}"
        ". Peak memory is of that process. A peer runs on as little as it needs: ONNX files on "
        "onnxruntime and tokenizers alone, without Optimum. Installed size leaves compiled "
        "bytecode out. Engines that differ from one here in numbers alone are left out."
    )
    yield tables.cold(record)


def _growing(record: Record, plots_there: set[str]) -> Iterator[str]:
    yield "## How cost grows"
    by_passages, by_length = _growth(record)
    for name, text, entries in (
        ("passages.svg", "milliseconds a passage over the number of passages", by_passages),
        ("lengths.svg", "milliseconds a passage over its length", by_length),
    ):
        if name in plots_there:
            yield f"![{text}]({name})"
            yield tables.growth(record, entries)
            for name, why in entries[-1]["failed"].items():
                yield f"{label(record, name)} is not in all: {tables.shortened(why)}."
    if not plots_there & {"passages.svg", "lengths.svg"}:
        yield _NONE


def _inside(record: Record) -> Iterator[str]:
    yield "## Where the time goes inside a call of ours"
    if not record["stages"]:
        yield _NONE
        return
    yield tables.stages(record)
    entry = record["stages"][-1]
    shape = record["shapes"][entry["shape"]]["architecture"]
    work = work_of(shape, entry["tokens"], entry["squares"])
    yield (
        f"The model's operation count for {title(entry)}: {digits(work.linear / 1e9)} G "
        f"multiply-adds in linear products and {digits(work.attention / 1e9)} G in attention. The "
        f"native engine does {digits(entry['multiply_adds'] / 1e9)} G of the former: of the last "
        "layer it computes what the head reads, and no more."
    )


def _families(record: Record) -> Iterator[str]:
    yield "## Other families"
    sections = [name for name in FAMILIES if measured(record, name)]
    if not sections:
        yield _NONE
        return
    yield (
        "Shapes of published rerankers, whose files could not be downloaded here: a heading says "
        "what the weights are. Random ones lack the outliers of trained ones, and so say little "
        "about accuracy. Errors are against transformers' logits of the same run."
    )
    for name in sections:
        shape = record["shapes"][name]
        yield f"### {name}: {shape['title']}"
        for entry in measured(record, name):
            yield f"{title(entry)}, {entry['threads']} threads."
            show = tables.latency if entry["words"] else tables.throughput
            yield show(record, entry)


def _other_shapes(record: Record) -> Iterator[str]:
    for section, heading in (("base", "Base shape"), ("builtin", "The built-in model")):
        yield f"## {heading}"
        entries = measured(record, section)
        if not entries:
            yield _NONE
            continue
        yield f"{entries[0]['threads']} threads."
        yield tables.side_by_side(record, entries)
        missing = {name: why for entry in entries for name, why in entry["failed"].items()}
        for name, why in missing.items():
            yield f"{label(record, name)}: {tables.shortened(why)}."


def _appendix(record: Record) -> Iterator[str]:
    yield "## Versions and settings"
    rows = []
    for name in in_order(record, record["engines"]):
        engine = record["engines"][name]
        versions = ", ".join(f"{key} {value}" for key, value in engine["versions"].items())
        rows.append(
            [label(record, name), engine["precision"], engine["batching"], versions or "not run"]
        )
    yield table(["", "products", "batches", "versions"], rows)
    rows = [
        [
            name,
            section["date"],
            section["plan"],
            f"{section['version']}, {section['commit'] or 'installed'}",
            f"{section['seconds']:.0f} s",
            NONE if section["load"] is None else f"{section['load']:.1f}",
        ]
        for name, section in sorted(record["sections"].items(), key=lambda item: item[1]["date"])
    ]
    yield table(["section", "measured", "plan", "edge-rerank", "took", "load at its end"], rows)
    yield (
        "ORTOptimizer is left out: on this graph its level 2 takes ten minutes and makes nothing "
        "faster. To repeat: `python -m edge_rerank_bench prepare`, then "
        "`python -m edge_rerank_bench report --checkpoint DIR`."
    )
