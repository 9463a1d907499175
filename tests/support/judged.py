"""Judged queries that a tiny model learns in seconds: what is lit is relevant, steel is not."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

TOPICS = ("plants", "rivers", "wing", "heat", "layer", "shock", "wave", "lift")
FILL = ("a", "the", "of", "and", "in", "water", "flow", "boundary")


def judged(count: int, seed: int, relevant: str = "light") -> list[dict[str, Any]]:
    """Return lines with a query and six graded passages each."""
    rng, other = random.Random(seed), {"light": "steel", "steel": "light"}[relevant]
    lines = []
    for number in range(count):
        topic = " ".join(rng.choices(TOPICS, k=2))
        texts = [
            " ".join([*rng.choices(FILL, k=3), word, topic, *rng.choices(FILL, k=number % 5)])
            for word in (relevant, relevant, other, other, other, other)
        ]
        grades = dict.fromkeys(texts[2:], 0) | dict.fromkeys(texts[1::-1], 1)
        if texts[0] in grades:
            grades[texts[0]] = 2
        query = f"how do {topic} eat {seed} {number}"
        lines.append({"query": query, "documents": list(grades), "labels": list(grades.values())})
    return lines


def write_lines(path: Path, lines: list[dict[str, Any]]) -> Path:
    """Write JSON Lines."""
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def write_judged(folder: Path, train: int = 40, validate: int = 24) -> tuple[Path, Path]:
    """Write train.jsonl and validate.jsonl."""
    return (
        write_lines(folder / "train.jsonl", judged(train, 1)),
        write_lines(folder / "validate.jsonl", judged(validate, 2)),
    )
