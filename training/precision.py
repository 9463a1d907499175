"""Whether products are computed in bfloat16: three times as fast on one processor, slow on another.

Weights, sums of gradients and the optimizer stay in float32; evaluation is float32 throughout.
"""

import time
from contextlib import AbstractContextManager

import torch

PRECISIONS = ("auto", "float32", "bfloat16")
TRIES = 5


def product_seconds(dtype: torch.dtype, device: str) -> float:
    """Least time of a product of the size that training is made of, with its conversions."""
    rows = torch.randn(2048, 384, device=device)
    weights = torch.randn(384, 1536, device=device)
    least = float("inf")
    for _ in range(TRIES):
        started = time.perf_counter()
        # Reading one number waits for a GPU to finish.
        (rows.to(dtype) @ weights.to(dtype))[0, 0].item()
        least = min(least, time.perf_counter() - started)
    return least


def chosen_precision(asked: str, device: str) -> str:
    """The precision that was asked for, or for "auto" the one that is faster on this machine."""
    if asked != "auto":
        return asked
    half, single = (product_seconds(dtype, device) for dtype in (torch.bfloat16, torch.float32))
    return "bfloat16" if half < single else "float32"


def products_in(precision: str, device: str) -> AbstractContextManager[None]:
    """A context in which products are computed so."""
    return torch.autocast(
        torch.device(device).type, dtype=torch.bfloat16, enabled=precision == "bfloat16"
    )
