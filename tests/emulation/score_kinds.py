"""Scores models of every family and kind of layer with random weights, on each kernel of this CPU.

    python -m tests.emulation.score_kinds

Prints a JSON object: for each model and kernel the bits of its logits. Needs numpy alone.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from edge_rerank.native_library import load_library
from native.fuzz.seeds import TINY, Shape, write_artifact
from tests.native.calls import opened, random_pairs, score

_WIDTH: dict[str, Any] = {
    "hidden_size": 384,
    "embedding_size": 384,
    "heads": 12,
    "intermediate_size": 1536,
}
_FAMILIES = {
    "deberta-v2": "plain",
    "bert": "bert",
    "modernbert": "modernbert",
    "segment-bert": "segments",
}
_PAIRS, _LONGEST = 5, 24


def kinds() -> Mapping[str, Shape]:
    """Return the tiny models, and of each family one that is as wide as those that people run."""
    wide = {
        f"family-{family}": replace(TINY[f"{name}-int8"], **_WIDTH, vocab_size=50)
        for family, name in _FAMILIES.items()
    }
    return {**TINY, **wide}


def main() -> None:
    """Score all of them and print the bits."""
    library = load_library()
    found: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, shape in kinds().items():
            folder = write_artifact(Path(scratch, name), shape)
            pairs = random_pairs(_PAIRS, shape.vocab_size, min(shape.max_length, _LONGEST))
            for kernel in library.kernels:
                if kernel == "scalar" and name.startswith("family-"):
                    continue  # minutes under an emulator
                with opened(library, folder, kernel=kernel, threads=1) as engine:
                    found[f"{name} {kernel}"] = score(library, engine, pairs).tolist()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
