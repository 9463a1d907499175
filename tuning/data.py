"""From the files that are named to lists that can be trained on and measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_rerank.errors import InputError

from .corpus import read_corpus
from .examples import Judged, JudgedQuery
from .mining import as_found, needs_mining, own_passages, with_mined, with_strange
from .options import TAUGHT_PAIRS, TuneOptions
from .reading import read_judged, refuse_overlap, telling
from .synthetic import synthetic_queries

_POOL = 2  # mined passages of a training query, in lists: each epoch draws anew


@dataclass(frozen=True, slots=True)
class Data:
    """Queries with all their passages, the mined ones too."""

    train: Judged
    validate: Judged
    synthetic: tuple[JudgedQuery, ...] = ()
    """Queries made of the collection, for a teacher."""


def read_data(options: TuneOptions, say: Callable[[str], None]) -> Data:
    """Read and check everything, and mine; raises InputError that says what to mend."""
    options.check()
    train, validate = read_judged(options.train), read_judged(options.validate)
    refuse_overlap(train, validate)
    synthetic: tuple[JudgedQuery, ...] = ()
    pool = options.passages_per_list * _POOL
    if options.collection is not None:
        corpus = read_corpus(options.collection)
        say(f"searching {len(corpus):,} passages with BM25")
        if options.distils:
            train = _searched("--train", train, corpus, options, say)
        else:
            train = with_mined(train, corpus, pool)
            train = with_strange(train, corpus, pool, options.seed)
        validate = _searched("--validate", validate, corpus, options, say)
        if options.distils:
            synthetic = _synthetic(train, validate, corpus, options, say)
    else:
        if needs_mining(train):
            train = with_mined(train, own_passages(train), pool)
        if needs_mining(validate):
            validate = with_mined(validate, own_passages(train, validate), options.depth)
    return Data(
        _telling("--train", options.train, train, say),
        _telling("--validate", options.validate, validate, say),
        synthetic,
    )


def _searched(
    option: str,
    judged: Judged,
    corpus: list[str],
    options: TuneOptions,
    say: Callable[[str], None],
) -> Judged:
    searched = list(dict.fromkeys([*corpus, *own_passages(judged)]))
    found = as_found(judged, searched, options.depth)
    say(
        f"{option}: a query's list is BM25's best {options.depth} passages; all of them hold "
        f"{found.relevant:,} of {judged.relevant:,} relevant ones"
    )
    return found


def _synthetic(
    train: Judged,
    validate: Judged,
    corpus: list[str],
    options: TuneOptions,
    say: Callable[[str], None],
) -> tuple[JudgedQuery, ...]:
    """Make as many queries as the teacher has room for beside those that were judged."""
    size = options.passages_per_list
    left = TAUGHT_PAIRS - sum(len(query.found) for query in train.queries)
    if left < size:
        return ()
    made = synthetic_queries(
        corpus,
        left // size,
        depth=options.depth,
        size=size,
        seed=options.seed,
        known={query.text for judged in (train, validate) for query in judged.queries},
    )
    say(f"made {len(made):,} more queries of how passages begin")
    return made


def _telling(option: str, path: str, judged: Judged, say: Callable[[str], None]) -> Judged:
    kept, left = telling(judged)
    if not kept.queries:
        raise InputError(
            f"{path}: no query has both a relevant passage and one that is less so, and nothing "
            "can be learned from it or measured on it; add passages of grade 0, or name a "
            "--collection to find some in"
        )
    if left:
        say(
            f"{option}: {left:,} of {len(judged.queries):,} queries are left out: all their "
            "passages are alike relevant, or none is"
        )
    return kept
