"""FlashRank with a model of its own, which it downloads when it is not in its cache."""

from __future__ import annotations

import itertools
import os
from typing import Any

from . import CannotRunError

DISTRIBUTIONS = ("FlashRank", "onnxruntime", "tokenizers")


class FlashrankModel:
    """A Ranker. Its scores are of another model and are not compared with anybody's."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """Load, or download, the model; it has no option for threads, so the CPUs are limited."""
        if hasattr(os, "sched_setaffinity"):
            usable = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, usable[: settings["threads"]])
        from flashrank import Ranker
        from requests.exceptions import RequestException

        try:
            self._ranker = Ranker(model_name=settings["name"], cache_dir=settings["cache"])
        except RequestException as error:
            raise CannotRunError("needs to download its own model; no network here") from error

    def score(self, pairs: list[tuple[str, str]]) -> list[float]:
        """Return the scores, from 0 to 1."""
        from flashrank import RerankRequest

        scores = [0.0] * len(pairs)
        numbered = enumerate(pairs)
        for query, group in itertools.groupby(numbered, key=lambda entry: entry[1][0]):
            passages = [{"id": place, "text": text} for place, (_, text) in group]
            for found in self._ranker.rerank(RerankRequest(query=query, passages=passages)):
                scores[found["id"]] = float(found["score"])
        return scores

    def facts(self) -> dict[str, Any]:
        """Return nothing."""
        return {}


def open_engine(settings: dict[str, Any]) -> FlashrankModel:
    """Load the model ``name`` from, or into, the folder ``cache``."""
    return FlashrankModel(settings)
