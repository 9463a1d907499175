"""Parsers, passages, queries and metrics on small samples."""

from random import Random

import pytest

pytest.importorskip("numpy")

from edge_rerank_training.metrics import interval, ndcg
from edge_rerank_training.parse_html import clean_heading, parse_html
from edge_rerank_training.parse_text import (
    parse_descriptions,
    parse_dict,
    parse_man,
    parse_wordnet,
)
from edge_rerank_training.passages import Passage, chunks, fraction, select_passages
from edge_rerank_training.queries import make_queries
from edge_rerank_training.section import Section
from edge_rerank_training.sources import SOURCES


def test_html_headings_and_terms_open_sections() -> None:
    page = """<html><head><title>x</title></head><body><nav><p>Menu</p></nav>
    <h1>9.10. Backup<a class="headerlink" href="#">¶</a></h1><p>Copies <b>matter</b>.</p>
    <div class="toc"><div>1</div><p>skip</p></div><pre>code</pre>
    <dl><dt>--all</dt><dd><p>Take everything.</p></dd></dl></body></html>"""
    found = [(s.title, s.heading, s.text) for s in parse_html(page, "backup")]
    assert found == [
        ("Backup", "Backup", "Copies matter ."),
        ("Backup", "all", "Take everything."),
    ] or found == [
        ("Backup", "Backup", "Copies matter."),
        ("Backup", "all", "Take everything."),
    ]


def test_page_without_heading_gives_nothing() -> None:
    assert list(parse_html("<p>text</p>", "x")) == []


def test_heading_loses_its_number() -> None:
    assert clean_heading("Chapter 69. SP-GiST Indexes") == "SP-GiST Indexes"
    assert clean_heading("3.14.2. Circles ¶") == "Circles"
    assert clean_heading("A rule") == "A rule"


def test_descriptions() -> None:
    text = (
        "Package: libfoo-dev\nDescription-md5: 0\nDescription-en: parser of foo\n First line\n"
        " second.\n .\n More.\n\nPackage: old\nDescription-md5: 0\n"
        "Description-en: transitional package\n This is a transitional package.\n"
    )
    (only,) = parse_descriptions(text, "list")
    assert only == Section("foo", "libfoo-dev", "parser of foo", "First line second. More.")


def test_dictionary_entries() -> None:
    text = "00-info\n   skip\n\nalpha geek\n n.\n\n    The most {skilled} person.\n"
    found = list(parse_dict(text, "jargon"))
    assert [(s.heading, s.text) for s in found] == [("alpha geek", "The most skilled person.")]


def test_wordnet_line() -> None:
    line = '00039297 04 n 02 contact 2 close_touch 0 001 @ 00037396 n 0000 | near; "they met"  '
    (only,) = parse_wordnet("  1 licence\n" + line, "data.noun")
    assert (only.heading, only.text) == ("contact, close touch", 'near; "they met"')


def test_man_page() -> None:
    page = (
        '.\\" comment\n.TH fork 2\n.SH NAME\nfork \\- create a child process\n.SH SYNOPSIS\n.nf\n'
        "pid_t fork(void);\n.fi\n.SH DESCRIPTION\n.BR fork ()\ncreates a \\fInew\\fP process.\n"
    )
    (only,) = parse_man(page, "fork.2")
    assert only.title == "fork - create a child process"
    assert (only.heading, only.text) == ("Description", "fork() creates a new process.")


def test_chunks_keep_sentences_whole() -> None:
    text = " ".join(["One two three four five."] * 60)
    for run in chunks(text, Random(0), least=20):
        assert all(sentence.endswith(".") for sentence in run)


def test_split_depends_on_names_and_seed_alone() -> None:
    assert fraction(0, "man", "fork.2", "split") == fraction(0, "man", "fork.2", "split")
    assert fraction(0, "man", "fork.2", "split") != fraction(1, "man", "fork.2", "split")


def test_a_document_is_on_one_side_of_the_split() -> None:
    source = next(s for s in SOURCES if s.name == "python")
    sections = [
        Section(f"doc{i % 40}", "title", f"heading {i}", f"{chr(97 + i % 26)} word {i} " * 20)
        for i in range(400)
    ]
    passages = select_passages(sections, source, seed=0)
    sides: dict[str, set[bool]] = {}
    for passage in passages:
        sides.setdefault(passage.document, set()).add(passage.held_out)
    assert passages == select_passages(sections, source, seed=0)
    assert all(len(side) == 1 for side in sides.values())


def test_a_query_that_its_passage_repeats_is_dropped() -> None:
    def passage(text: str) -> Passage:
        return Passage("packages", "foo", 1, "foo", "fast parser of foo files", text, "", False)

    assert make_queries([passage("It reads foo.")], seed=0)
    assert not any(
        query.text.lower() in "a fast parser of foo files"
        for query in make_queries([passage("A fast parser of foo files.")], seed=0)
        if len(query.text.split()) >= 3
    )


def test_ndcg_against_a_worked_example() -> None:
    # Gains 1, 0, 2 at ranks 1 to 3: (1 + 2 / 2) / (2 + 1 / log2(3)).
    assert ndcg([5, 6, 7], {5: 1, 7: 2}) == pytest.approx(2 / (2 + 0.6309298), abs=1e-6)
    assert ndcg([5], {5: 1, 9: 1}) < 1
    assert ndcg([5], {}) == 0


def test_interval_holds_the_mean() -> None:
    low, high = interval([0.0, 1.0] * 50)
    assert 0.35 < low < 0.5 < high < 0.65
