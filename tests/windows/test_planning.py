"""Windows of any text, with any tokenizer: all of it is read, and no window is ever cut."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_rerank import InputError, Windows
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.description import TokenizerChoice
from edge_rerank.tokenizing.choose import PairTokenizer
from edge_rerank.windows.counting import Counter
from edge_rerank.windows.options import Reading, reading
from edge_rerank.windows.planning import Plan, Planner
from tests.support.made_tokenizers import byte_level, unigram

LENGTH = 56
QUERY = "how do plants eat"
PARTS = [*"abc  \n\t.!?…。”)日本😀ﷺ", "plants ", "e\u0301", "Straße ", "it. ", "\r\n\r\n"]
TEXTS = st.lists(st.sampled_from(PARTS), max_size=400).map("".join)


@pytest.fixture(scope="session", params=["wordpiece", "tokenizers", "unigram", "bytes"])
def tokenizer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> PairTokenizer:
    """Return the built-in model's by both libraries, and made ones of other kinds."""
    choice: TokenizerChoice = "tokenizers" if request.param == "tokenizers" else "auto"
    path = builtin_model() / "tokenizer.json"
    folder = tmp_path_factory.mktemp("tokenizer")
    if request.param in ("unigram", "bytes"):
        make = unigram if request.param == "unigram" else byte_level
        path = make(folder / "tokenizer.json")
    return PairTokenizer(path, max_length=LENGTH, tokenizer=choice)


def plan(tokenizer: PairTokenizer, document: str, windows: Windows, query: str = QUERY) -> Plan:
    return Planner(Counter(tokenizer), Reading(windows)).plan(query, document)


@given(document=TEXTS, overlap=st.sampled_from([0.0, 0.25, 0.9]))
def test_all_is_read_and_nothing_is_cut(
    tokenizer: PairTokenizer, document: str, overlap: float
) -> None:
    planned = plan(tokenizer, document, Windows(overlap=overlap, max_windows=10_000))
    assert planned.spans is not None
    assert not planned.unread
    read = bytearray(len(document))
    before = (-1, -1)
    for (start, end), (query, text) in zip(planned.spans, planned.pairs, strict=True):
        assert (query, text) == (QUERY, document[start:end])
        assert start > before[0]
        assert end > before[1]
        before = start, end
        read[start:end] = b"\1" * (end - start)
    left = "".join(char for char, seen in zip(document, read, strict=True) if not seen)
    assert not left.strip()
    encoded = tokenizer.encode(planned.pairs)
    assert encoded.lengths.max() <= LENGTH
    # One character alone can be longer than a window of this size.
    assert not any(
        cut and len(text) > 1
        for cut, (_, text) in zip(encoded.truncated, planned.pairs, strict=True)
    )
    if len(planned.pairs) == 1 and tokenizer.encode([(QUERY, document)]).truncated[0]:
        assert len(planned.pairs[0][1]) < len(document)


def test_a_text_that_fits_is_one_window_and_left_as_it_is(tokenizer: PairTokenizer) -> None:
    for text in ("", "  ", " plants eat light. \n\n water "):
        planned = plan(tokenizer, text, Windows())
        assert planned == Plan(((QUERY, text),), ((0, len(text)),), False)


def test_windows_end_at_sentences_and_begin_again_within_the_last_one(
    tokenizer: PairTokenizer,
) -> None:
    sentences = [f"a {number}." for number in range(40)]
    document = " ".join(sentences)
    apart = plan(tokenizer, document, Windows(overlap=0))
    assert apart.spans is not None
    assert all(document[end - 1] == "." for _, end in apart.spans)
    assert " ".join(text for _, text in apart.pairs) == document
    over = plan(tokenizer, document, Windows(overlap=0.5))
    assert over.spans is not None
    assert len(over.pairs) > len(apart.pairs)
    # A sentence may be half of so small a window, and then none is read again.
    assert any(
        later < end for (_, end), (later, _) in zip(over.spans, over.spans[1:], strict=False)
    )


def test_no_more_windows_than_allowed_and_the_rest_is_named_unread(
    tokenizer: PairTokenizer,
) -> None:
    document = "plants eat light. " * 100
    whole = plan(tokenizer, document, Windows(max_windows=1000))
    some = plan(tokenizer, document, Windows(max_windows=3))
    assert (some.pairs, some.unread) == (whole.pairs[:3], True)
    assert not whole.unread
    exactly = plan(tokenizer, document, Windows(max_windows=len(whole.pairs)))
    assert exactly == whole


def test_a_long_query_leaves_half_of_each_window(tokenizer: PairTokenizer) -> None:
    query, document = "how do plants eat " * 50, "steel bridge. " * 50
    planned = plan(tokenizer, document, Windows(), query)
    asked = planned.pairs[0][0]
    assert query.startswith(asked)
    assert 0 < len(asked) < len(query)
    assert planned.unread
    assert len(planned.pairs) > 1
    assert not tokenizer.encode(planned.pairs).truncated.any()


@pytest.mark.parametrize("tokens", [1, 3, 1000])
def test_a_query_keeps_to_its_budget(tokenizer: PairTokenizer, tokens: int) -> None:
    query = "how do plants eat " * 50
    (asked, document), *others = (
        Planner(Counter(tokenizer), Reading(None, tokens)).plan(query, "a").pairs
    )
    assert (document, others) == ("a", [])
    specials = int(tokenizer.encode([("", "")]).lengths[0])
    assert int(tokenizer.encode([(asked, "")]).lengths[0]) - specials <= tokens
    assert (asked == query) == (tokens == 1000)


@pytest.mark.parametrize(
    "text", ["x" * 300_000, "." * 300_000, "a\n" * 150_000, " " * 300_000 + "a", "日。" * 150_000]
)
def test_texts_made_to_be_slow_are_not(text: str) -> None:
    tokenizer = PairTokenizer(builtin_model() / "tokenizer.json", max_length=512)
    begin = time.process_time()
    planned = plan(tokenizer, text, Windows(max_windows=10_000))
    assert not planned.unread
    assert time.process_time() - begin < 5  # takes 0.3 s at most on an idle machine


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"overlap": 0.95}, "overlap is 0.95"),
        ({"overlap": float("nan")}, "overlap is nan"),
        ({"overlap": True}, "overlap is True"),
        ({"overlap": "0.5"}, "overlap is '0.5'"),
        ({"mean_of_best": 0}, "mean_of_best is 0"),
        ({"max_windows": 1.5}, "max_windows is 1.5"),
    ],
)
def test_values_out_of_range_are_refused(values: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Windows(**values)  # type: ignore[arg-type]


def test_choices_are_refused_by_name() -> None:
    with pytest.raises(InputError, match="long_documents is 'chunks'; expected truncate or windo"):
        reading("chunks", None)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="query_max_tokens is 0"):
        reading("truncate", 0)
