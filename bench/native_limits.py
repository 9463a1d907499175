"""How near the native engine comes to what the machine can do, and how its cost grows."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence

from edge_rerank.engines import Engine
from edge_rerank.engines._library import load_library
from edge_rerank.tokenization import TokenizedPair

STAGES = ("embedding", "products", "attention", "rest", "waiting")


def limits(engine: Engine) -> str:
    """Say where the time of the engine's calls so far went, and at what rate products ran.

    The peak is measured now: multiply-adds a second of one core, in registers alone.
    """
    details = engine.describe().details
    seconds = details["seconds"]
    total = sum(seconds[stage] for stage in STAGES)
    shares = ", ".join(f"{stage} {seconds[stage] / total:.1%}" for stage in STAGES)
    int8, fp32, memory = load_library().peak(details["kernel"])
    rate = details["multiply_adds"] / seconds["products"]
    return (
        f"kernel {details['kernel']}: {shares}\n"
        f"linear products: {rate / 1e9:.0f} G int8 multiply-adds a second and thread, "
        f"{rate / int8:.1%} of the measured peak of {int8 / 1e9:.0f} G\n"
        f"(fp32 peak {fp32 / 1e9:.0f} G, memory {memory / 1e9:.0f} GB/s)"
    )


def scaling(engine: Engine, vocabulary: int, repeats: int = 5) -> str:
    """Give microseconds a token for 1 to 1,000 passages of 140 tokens, and for 16 to 512 tokens."""
    rng = random.Random(0)
    lines = ["passages of 140 tokens:  microseconds a token"]
    for count in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000):
        lines.append(
            f"{count:10d}{_per_token(engine, _pairs(rng, count, 140, vocabulary), repeats):20.1f}"
        )
    lines.append("\n50 passages, tokens each:  microseconds a token")
    for length in (16, 32, 64, 128, 256, 384, 512):
        lines.append(
            f"{length:10d}{_per_token(engine, _pairs(rng, 50, length, vocabulary), repeats):20.1f}"
        )
    return "\n".join(lines)


def _pairs(rng: random.Random, count: int, length: int, vocabulary: int) -> list[TokenizedPair]:
    return [
        TokenizedPair(tuple(rng.randrange(5, vocabulary) for _ in range(length)), length, False)
        for _ in range(count)
    ]


def _per_token(engine: Engine, pairs: Sequence[TokenizedPair], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        engine.logits(pairs)
        times.append(time.perf_counter() - start)
    return statistics.median(times) / sum(len(pair.ids) for pair in pairs) * 1e6
