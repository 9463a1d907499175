"""An artifact's probe pairs, scored here: all together, and some of them again in other company.

Planned for a small board. What is scored again is a sample: :data:`SAMPLE` pairs of all lengths
and the longest pair the model takes. For the full xsmall shape (21.3 million multiply-adds a
token) that comes to the work of about 10,000 tokens on four cores; see docs/lab/verify.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edge_rerank.artifact.folder import Artifact, Probe
from edge_rerank.description import Description
from edge_rerank.errors import EngineError, InputError, TokenizerError
from edge_rerank.pairs import Pair
from edge_rerank.parity.agreement import Agreement, agree
from edge_rerank.parity.limits import Limits, limits_for
from edge_rerank.reranker import Reranker
from edge_rerank.results import ScoredPair
from edge_rerank.verification.checks import (
    Check,
    agreement_checks,
    failed_scoring,
    longest_pair_check,
    same_bits_check,
)

SAMPLE = 6
_SCORING = (EngineError, InputError, TokenizerError)
"""What scoring a probe raises when the engine, or the tokenizer, is not the model's."""
_NO_PROBES = (
    "export the model again: the exporter writes them; a model that gives one logit to all texts "
    "is not trained, and cannot be verified"
)


class ProbeRun:
    """One run over the probes; what it finds stays in its attributes."""

    def __init__(
        self, artifact: Artifact, probes: Sequence[Probe], options: Mapping[str, Any]
    ) -> None:
        """Prepare; ``options`` are those of :meth:`Reranker.load` that say how it is run."""
        self._artifact, self._options = artifact, options
        self._exact = [probe.logit for probe in probes]
        self._pairs = [(probe.query, probe.document) for probe in probes]
        self._pairs.append(longest_pair(self._pairs, artifact.manifest.max_length))
        self.tokens = 0
        self.engine: Description | None = None
        self.agreement: Agreement | None = None
        self.limits: Limits | None = None

    def checks(self) -> Iterator[Check]:
        """Load the model, score and compare. Raises what :meth:`Reranker.load` does."""
        if len(set(self._exact)) < 2:
            found = f"{len(self._exact)} probe pairs, {len(set(self._exact))} different logits"
            yield Check("probes", False, found, "at least 2, of different logits", _NO_PROBES)
            return
        with self._load() as reranker:
            self.engine = reranker.describe()
            try:
                together, longest = self._together(reranker)
            except _SCORING as error:
                yield failed_scoring(error)
                return
            yield longest
            yield from self._agreement(logits_of(together))
            sample = _spread_over_lengths(together)
            yield from self._company(reranker, logits_of(together), sample)
        yield self._one_thread([together[place].logit for place in sample], sample)

    def _load(self, **changes: Any) -> Reranker:
        options = {**self._options, **changes}
        return Reranker.load(self._artifact.path, verify=False, self_check=False, **options)

    def _score(self, reranker: Reranker, places: Iterable[int]) -> list[ScoredPair]:
        scored = list(reranker.score([self._pairs[place] for place in places], scores="logits"))
        self.tokens += sum(pair.tokens for pair in scored)
        return scored

    def _together(self, reranker: Reranker) -> tuple[list[ScoredPair], Check]:
        """Score all; without the longest pair if it is that which cannot be scored."""
        every, longest = range(len(self._pairs)), self._artifact.manifest.max_length
        try:
            return self._score(reranker, every), longest_pair_check(longest, None)
        except _SCORING as error:
            return self._score(reranker, every[:-1]), longest_pair_check(longest, error)

    def _agreement(self, logits: Sequence[float]) -> Iterator[Check]:
        self.agreement = agree(logits[: len(self._exact)], self._exact)
        self.limits = limits_for(self._artifact.manifest, self.agreement.sigma)
        yield from agreement_checks(self.agreement, self.limits)

    def _company(
        self, reranker: Reranker, together: Sequence[float], sample: Sequence[int]
    ) -> Iterator[Check]:
        """Score the sample one by one, in reverse, and twice over in one call."""
        alone = [self._score(reranker, [place])[0].logit for place in sample]
        yield same_bits_check("alone", [together[place] for place in sample], alone)
        shorter = sample[:-1]
        for name, order in (("permuted", shorter[::-1]), ("duplicated", [*shorter, *shorter])):
            again = logits_of(self._score(reranker, order))
            yield same_bits_check(name, [together[place] for place in order], again)

    def _one_thread(self, expected: Sequence[float], sample: Sequence[int]) -> Check:
        threads = self.engine.threads if self.engine else 1
        if threads == 1:
            return Check("threads", None, "only one thread to use", "the same bits")
        with self._load(threads=1) as single:
            return same_bits_check("threads", expected, logits_of(self._score(single, sample)))


def longest_pair(pairs: Sequence[Pair], max_length: int) -> Pair:
    """Make a pair of ``max_length`` tokens, cut to it, out of the words of others."""
    words = [word for _, document in pairs for word in document.split()] or ["a"]
    repeats = -(-max_length // len(words))
    return (pairs[0][0] if pairs else "a", " ".join((words * repeats)[:max_length]))


def logits_of(scored: Iterable[ScoredPair]) -> list[float]:
    """Return the logits alone."""
    return [pair.logit for pair in scored]


def _spread_over_lengths(scored: Sequence[ScoredPair]) -> list[int]:
    """Return the places of SAMPLE pairs of all lengths, shortest first, and of the longest."""
    by_length = sorted(range(len(scored)), key=lambda place: scored[place].tokens)
    last = len(by_length) - 1
    steps = min(SAMPLE, last)
    return [by_length[step * last // steps] for step in range(steps)] + [by_length[last]]
