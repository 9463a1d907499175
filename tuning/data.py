"""From the files that are named to lists that can be trained on and measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_rerank.errors import InputError

from .corpus import read_corpus
from .examples import Judged
from .mining import as_found, needs_mining, own_passages, with_mined, with_strange
from .options import TuneOptions
from .reading import read_judged, refuse_overlap, telling

_POOL = 2  # mined passages of a training query, in lists: each epoch draws anew


@dataclass(frozen=True, slots=True)
class Data:
    """Queries with all their passages, the mined ones too."""

    train: Judged
    validate: Judged


def read_data(options: TuneOptions, say: Callable[[str], None]) -> Data:
    """Read and check everything, and mine; raises InputError that says what to mend."""
    train, validate = read_judged(options.train), read_judged(options.validate)
    refuse_overlap(train, validate)
    pool = options.list_size * _POOL
    if options.collection is not None:
        corpus = read_corpus(options.collection)
        say(f"finding hard negatives among {len(corpus):,} passages with BM25")
        train = with_mined(train, corpus, pool)
        train = with_strange(train, corpus, pool, options.seed)
        judged = validate.relevant
        searched = list(dict.fromkeys([*corpus, *own_passages(validate)]))
        validate = as_found(validate, searched, options.depth)
        say(
            f"--validate: BM25's best {options.depth} passages of a query are ranked; they hold "
            f"{validate.relevant:,} of {judged:,} relevant ones"
        )
    else:
        if needs_mining(train):
            train = with_mined(train, own_passages(train), pool)
        if needs_mining(validate):
            validate = with_mined(validate, own_passages(train, validate), options.depth)
    return Data(
        _telling("--train", options.train, train, say),
        _telling("--validate", options.validate, validate, say),
    )


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
