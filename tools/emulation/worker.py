"""What runs on the CPU under test: python -m tools.emulation.worker JOB RESULT, both JSON files.

It uses the project as a user does, and says what it found. Nothing is compared here.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_rerank import Reranker
from edge_rerank.machine.cpu import read_cpu
from edge_rerank.pairs import Pair
from edge_rerank.tokenizing.choose import PairTokenizer


def main(job: Path, result: Path) -> None:
    """Score the job's pairs and write down everything that must be the same elsewhere."""
    os.environ.pop("EDGE_RERANK_KERNEL", None)  # the job says which kernel
    wanted = json.loads(job.read_text(encoding="utf-8"))
    found = _verify(wanted) if wanted["verify"] else _score(wanted)
    result.write_text(json.dumps(found), encoding="utf-8")


def _verify(job: dict[str, Any]) -> dict[str, Any]:
    from edge_rerank import verify

    return verify(job["model"], engine=job["engine"], kernel=job["kernel"]).to_json()


def _score(job: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    pairs = [(query, document) for query, document in job["pairs"]]
    forced = {} if job["kernel"] is None else {"kernel": job["kernel"]}
    start = time.perf_counter()
    with Reranker.load(job["model"], threads=1, engine=job["engine"], **forced) as reranker:
        logits = reranker.predict(pairs, scores="logits")
        ids = _token_ids(reranker, pairs)
        engine = reranker.describe().to_json()
    return {
        "cpu": asdict(read_cpu()),
        "engine": engine,
        "bits": logits.view(np.uint32).tolist(),
        "ids": [hashlib.sha256(json.dumps(one).encode()).hexdigest() for one in ids],
        "seconds": time.perf_counter() - start,
    }


def _token_ids(reranker: Reranker, pairs: Sequence[Pair]) -> list[list[int]]:
    file = reranker.artifact.file("tokenizer.json")
    tokenizer = PairTokenizer(
        file,
        max_length=reranker.max_length,
        threads=1,
        prompt=reranker.artifact.manifest.prompt,
    )
    batch = tokenizer.encode(pairs)
    return [batch.ids_of(index).tolist() for index in range(len(batch))]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
