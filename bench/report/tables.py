"""The report's tables of speed, each from measurements of the record."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..peers.catalogue import BASELINE
from ..run.limits import Peak, least_seconds, work_of
from .figures import padding, ratios, spread, turns
from .markdown import NONE, digits, mebibytes, megabytes, seconds, share, table, times

Record = Mapping[str, Any]


def label(record: Record, name: str) -> str:
    """Return an engine's name as the report has it."""
    engine = record["engines"].get(name, {})
    text = engine.get("label", name)
    return f"**{text}**" if name == BASELINE else text


def measured(record: Record, section: str) -> list[Record]:
    """Return a section's measurements."""
    return [entry for entry in record["measurements"] if entry["section"] == section]


def in_order(record: Record, names: Iterable[str]) -> list[str]:
    """Return engines in the catalogue's order."""
    order = {name: place for place, name in enumerate(record["order"])}
    return sorted(names, key=lambda name: order.get(name, len(order)))


def title(entry: Record) -> str:
    """Say what a workload is."""
    if not entry["words"]:
        return f"{entry['pairs']} pairs of many lengths, {entry['tokens']:,} tokens"
    each = entry["tokens"] / entry["pairs"]
    return f"{entry['passages']} passages of {each:.0f} tokens"


def throughput(record: Record, entry: Record) -> str:
    """Return speed and accuracy of every engine on a stream of pairs, one beside the other."""
    accuracy = record["accuracy"].get(entry["shape"], {}).get("engines", {})
    head = ["", "p50", "p95", "runs", "tokens/s", "padding", "times ours (quartiles)"]
    head += ["of the limit", "rms error, sigma", "tau"]
    ours = turns(entry, BASELINE)
    rows = []
    for name in in_order(record, {*entry["seconds"], *entry["failed"]}):
        measured = spread(list(turns(entry, name).values()))
        if measured is None:
            rows.append(_failed(record, entry, name, len(head)))
            continue
        error = accuracy.get(name)
        rows.append(
            [
                label(record, name),
                seconds(measured.p50),
                seconds(measured.p95),
                str(measured.count),
                f"{entry['tokens'] / measured.p50:,.0f}",
                share(padding(entry, name)),
                "1" if name == BASELINE else times(ratios(turns(entry, name), ours)),
                share(reached(record, entry, name)),
                NONE if error is None else f"{error['rms_in_sigma']:.3f}",
                NONE if error is None else f"{error['kendall_tau']:.3f}",
            ]
        )
    return table(head, rows)


def latency(record: Record, entry: Record) -> str:
    """Return the latency of every engine for one workload."""
    head = ["", "p50", "p95", "quartiles", "runs", "padding", "times ours (quartiles)"]
    ours = turns(entry, BASELINE)
    rows = []
    for name in in_order(record, {*entry["seconds"], *entry["failed"]}):
        measured = spread(list(turns(entry, name).values()))
        if measured is None:
            rows.append(_failed(record, entry, name, len(head)))
            continue
        rows.append(
            [
                label(record, name),
                seconds(measured.p50),
                seconds(measured.p95),
                f"{seconds(measured.low)} to {seconds(measured.high)}",
                str(measured.count),
                share(padding(entry, name)),
                "1" if name == BASELINE else times(ratios(turns(entry, name), ours)),
            ]
        )
    return table(head, rows)


def side_by_side(record: Record, entries: Sequence[Record]) -> str:
    """Return medians and ratios of several workloads, a column for each engine."""
    names = in_order(record, {name for entry in entries for name in entry["seconds"]})
    rows = []
    for entry in entries:
        ours = turns(entry, BASELINE)
        row = [title(entry)]
        for name in names:
            measured = spread(list(turns(entry, name).values()))
            ratio = None if name == BASELINE else ratios(turns(entry, name), ours)
            row.append(
                NONE
                if measured is None
                else seconds(measured.p50) + (f", {times(ratio)}" if ratio else "")
            )
        rows.append(row)
    return table(["", *(label(record, name) for name in names)], rows)


def cold(record: Record) -> str:
    """Return what it costs to begin: time, memory, disk."""
    sizes = record["model_bytes"]
    head = ["", "cold start", "peak memory", "model", "installed, with dependencies"]
    rows = []
    for name in in_order(record, [entry["engine"] for entry in record["cold"]]):
        entry = next(entry for entry in record["cold"] if entry["engine"] == name)
        known = [peak for peak in entry["peak_bytes"] if peak is not None]
        rows.append(
            [
                label(record, name),
                seconds(statistics.median(entry["seconds"]) if entry["seconds"] else None),
                mebibytes(max(known) if known else None),
                megabytes(sizes.get(entry["shape"], {}).get(name)),
                megabytes(record["engines"].get(name, {}).get("installed_bytes")),
            ]
        )
    return table(head, rows)


def stages(record: Record) -> str:
    """Return where a call's time goes; a part that threads share counts by its mean over them."""
    entries = record["stages"]
    names = list(entries[0]["parts"])
    head = ["", "threads", "call", "tokenising", *names, "the rest of Python"]
    rows = []
    for entry in entries:
        threads = entry["threads"]
        parts = [entry["parts"][name] / threads for name in names]
        rest = max(0.0, entry["seconds"] - entry["tokenizing"] - sum(parts))
        shares = [part / entry["seconds"] for part in (entry["tokenizing"], *parts, rest)]
        call = seconds(entry["seconds"])
        rows.append([title(entry), str(threads), call, *(share(value, 1) for value in shares)])
    return table(head, rows)


def growth(record: Record, entries: Sequence[Record]) -> str:
    """Return microseconds a token as the input grows."""
    names = in_order(record, {name for entry in entries for name in entry["seconds"]})
    rows = []
    for entry in entries:
        found = [spread(list(turns(entry, name).values())) for name in names]
        costs = [
            NONE if measured is None else digits(measured.p50 / entry["tokens"] * 1e6)
            for measured in found
        ]
        rows.append([title(entry), *costs])
    return table(["microseconds a token", *(label(record, name) for name in names)], rows)


def reached(record: Record, entry: Record, name: str) -> float | None:
    """Return the share of the machine's peak that an engine reaches: least time over its own."""
    engine, found = record["engines"][name], spread(list(turns(entry, name).values()))
    peaks = [Peak(**peak) for peak in record["peaks"] if peak["threads"] == entry["threads"]]
    if not peaks or found is None or not engine["same_model"]:
        return None
    shape = record["shapes"][entry["shape"]]["architecture"]
    work = work_of(shape, entry["tokens"], entry["squares"])
    least = least_seconds(work, peaks[0], engine["precision"])
    return None if least is None else least / found.p50


def _failed(record: Record, entry: Record, name: str, width: int) -> list[str]:
    why = entry["failed"].get(name, "not measured")
    return [label(record, name), f"cannot run: {shortened(why)}", *[""] * (width - 2)]


def shortened(text: str, most: int = 100) -> str:
    """Return the beginning of a message."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
