"""How a model was loaded, so that it can be loaded again in the same way in another process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_rerank.description import EngineChoice, Kernel


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``Reranker.load`` was asked for; None leaves the choice to where it is loaded."""

    path: Path | None
    threads: int | None
    max_length: int | None
    engine: EngineChoice
    kernel: Kernel | None
    map_weights: bool
    verify: bool
    self_check: bool
