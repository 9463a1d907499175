"""How well the model ranks the validation queries' passages, by torch, while it is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_rerank.evaluation.collection import Collection
from edge_rerank.evaluation.measures import MEASURES, per_query

from .encoding import Encoded
from .examples import Judged, JudgedQuery
from .interrupts import Wish

if TYPE_CHECKING:
    from edge_rerank.tokenizing.choose import PairTokenizer

    from .model import TunedModel

NDCG = MEASURES[0]


def shuffled(query: JudgedQuery, place: int, seed: int) -> tuple[str, ...]:
    """Return a query's passages in an order that tells nothing: files begin with the best ones."""
    order = np.random.default_rng((seed, place)).permutation(len(query.passages))
    return tuple(query.passages[place] for place in order)


class Validation:
    """The validation lists, encoded once."""

    def __init__(self, judged: Judged, tokenizer: PairTokenizer, padding: int, seed: int) -> None:
        """Encode all lists."""
        lists = [
            (query, shuffled(query, place, seed)) for place, query in enumerate(judged.queries)
        ]
        texts = dict.fromkeys(text for _, passages in lists for text in passages)
        self._texts = {text: f"d{place}" for place, text in enumerate(texts)}
        self._queries = {f"q{place}": query.text for place, (query, _) in enumerate(lists)}
        self.documents = {
            f"q{place}": [self._texts[text] for text in passages]
            for place, (_, passages) in enumerate(lists)
        }
        """For each query's id its passages' ids, shuffled."""
        # Grades are whole numbers where a collection is read from files; here any will do.
        self._judgements: dict[str, dict[str, Any]] = {
            f"q{place}": {self._texts[text]: query.grades.get(text, 0.0) for text in passages}
            for place, (query, passages) in enumerate(lists)
        }
        pairs = [(query.text, text) for query, passages in lists for text in passages]
        self.pairs = len(pairs)
        self._encoded = Encoded(tokenizer, pairs, padding)

    def collection(self, name: str) -> Collection:
        """Return the lists as a collection, for a comparison of models."""
        documents = {number: text for text, number in self._texts.items()}
        return Collection(name, documents, self._queries, self._judgements)

    def ndcg(self, model: TunedModel, wish: Wish, show: Callable[[int], None]) -> float | None:
        """Return the mean nDCG@10; None where somebody wishes the run to end."""
        scores, done = np.zeros(self.pairs), 0
        for places, logits in model.scores(self._encoded):
            scores[places] = logits
            done += len(places)
            show(done)
            if wish:
                return None
        values = per_query(self._rankings(scores.tolist()), self._judgements)[NDCG]
        return sum(values) / len(values)

    def _rankings(self, scores: Sequence[float]) -> dict[str, list[str]]:
        rankings, at = {}, 0
        for query, documents in self.documents.items():
            own = scores[at : at + len(documents)]
            order = sorted(range(len(documents)), key=own.__getitem__, reverse=True)
            rankings[query] = [documents[place] for place in order]
            at += len(documents)
        return rankings
