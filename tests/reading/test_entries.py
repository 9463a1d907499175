"""Texts in every form they come in: by the name, by how they begin, compressed, or refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import InputError
from edge_rerank.reading.entries import CSV, JSON, JSONL, TEXT, TSV, open_entries
from edge_rerank.reading.lines import open_lines
from edge_rerank.reading.objects import Record, in_one_line, parse_json, parse_object, text_under

OBJECTS = [{"id": 1, "text": "plants"}, {"id": 2, "text": 'wörld, "quoted"\nand more'}]
LINES = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in OBJECTS)
ARRAY = json.dumps(OBJECTS, indent=2, ensure_ascii=False)
TABLE = 'id,text\r\n1,plants\r\n2,"wörld, ""quoted""\nand more"\r\n'


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[str, list[Any]]]:
    """Read a content under a name, or from standard input without one, as objects."""

    def act(
        content: bytes | str, name: str = "-", form: str = "auto", fallback: str = JSONL
    ) -> tuple[str, list[Any]]:
        raw = content.encode() if isinstance(content, str) else content
        if name == "-":
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw), "utf-8"))
        else:
            (tmp_path / name).write_bytes(raw)
            name = str(tmp_path / name)
        with open_entries(name, form, fallback=fallback) as entries:
            entries.begin()
            if entries.form == TEXT:
                return TEXT, [entry.line() for entry in entries]
            return entries.form, [plain(entry.value()) for entry in entries]

    return act


def plain(value: Any) -> Any:
    return json.loads(value.source) if isinstance(value, Record) else value


@pytest.mark.parametrize("fallback", [TEXT, JSONL])
@pytest.mark.parametrize(
    ("name", "content", "form"),
    [
        *((name, LINES, JSONL) for name in ("x.jsonl", "x.ndjson", "X.JSONLINES", "x.json", "-")),
        ("-", f"\n  \n{LINES}", JSONL),
        ("x.txt", LINES, JSONL),
        *((name, ARRAY, JSON) for name in ("x.json", "x.txt", "-")),
        ("-", json.dumps(OBJECTS), JSON),
        ("x.json", "\ufeff" + ARRAY, JSON),
        ("x.jsonl", "\ufeff" + LINES, JSONL),
        ("x.jsonl", LINES.replace("\n", "\n\ufeff", 1), JSONL),
        ("x.csv", "\ufeff" + TABLE, CSV),
        ("x.tsv", TABLE.replace(",", "\t").replace("wörld\t", "wörld,"), TSV),
        ("x.csv", TABLE.replace(",", ";").replace("wörld;", "wörld,"), CSV),
    ],
)
def test_forms(read: Any, name: str, content: str, form: str, fallback: str) -> None:
    found, values = read(content, name, fallback=fallback)
    if form in (CSV, TSV):
        values = [{**value, "id": int(value["id"])} for value in values]
    assert (found, values) == (form, OBJECTS)


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("x.jsonl", LINES), ("x.jsonl.gz", LINES), ("x.json.gz", ARRAY), ("-", LINES)),
        *(("-", ARRAY), ("x.jsonl.gz", "\ufeff" + LINES)),
    ],
)
def test_compressed(read: Any, compress: Any, name: str, content: str) -> None:
    assert read(compress(content.encode()), name)[1] == OBJECTS
    several = compress(b"\n") + compress(content.encode())  # as cat a.gz b.gz makes them
    assert content is ARRAY or content[0] == "\ufeff" or read(several, name)[1] == OBJECTS


@pytest.mark.parametrize(
    "text", ["plants eat light", "[1] Smith, J.", "{curly} text", "{{template}}", "-", "a,b"]
)
def test_plain_text_stays_text(read: Any, text: str) -> None:
    assert read(f"{text}\n\n b \n", fallback=TEXT) == (TEXT, [text, " b "])
    assert read(LINES, form=TEXT)[1] == LINES.splitlines()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", json.dumps({"data": OBJECTS, "n": 1}, indent=1), "is a single JSON object (its"),
        (
            "x.json",
            json.dumps({"data": OBJECTS}, indent=1),
            "lists are under 'data'); expected",
        ),
        ("-", '{\n "text": "a"\n}\n', "standard input: begins like JSON, but its first line is no"),
        (
            "-",
            '["a" is a letter\n',
            "standard input: not valid JSON: expected a comma, or ]",
        ),
        ("x.json", "[1, 2", "x.json: not valid JSON: expected a comma, or ] at the end, found ''"),
        ("x.json", "[1, 2] 3", "not valid JSON: expected a comma, or ]"),
        ("x.json", '[{"a": 1},\n{"a": oops}]', "x.json:2: not valid JSON: Expecting value"),
        ("x.json", "[" * 100_000, "not valid JSON: nested too deep"),
        ("x.csv", "a,a\n1,2\n", "x.csv:1: the first row is ['a', 'a']; expected a different"),
        ("x.csv", "a,b\n1,2\n1,2,3\n", "x.csv:3: 3 fields, where the first row names 2"),
        ("x.csv", "a,b\n1,2\n\xff\xfe,2\n".encode("latin-1"), "x.csv:3: not UTF-8: byte 0xff"),
        ("x.jsonl", LINES.encode("utf-16"), "x.jsonl: UTF-16 text; convert it first"),
        ("x.jsonl", LINES.encode("utf-16-le"), "iconv -f UTF-16LE -t UTF-8"),
        ("-", LINES.encode("utf-16-be"), "standard input: UTF-16 text; convert it first, such as"),
        ("x.zst", b"\x28\xb5\x2f\xfd....", "x.zst: compressed with zstd"),
        ("x.xlsx", b"PK\x03\x04....", "a zip archive"),
        ("x.jsonl", b"PAR1....", "a Parquet file, and read as another form"),
        (
            "x.jsonl.gz",
            gzip.compress(LINES.encode(), mtime=0)[:-9],
            "ends in the middle of its compressed",
        ),
        ("x.jsonl.gz", b"\x1f\x8b\x08\x00" + b"x" * 50, "compressed data (gzip) are damaged: "),
        ("x.jsonl", '{"a": NaN}', "x.jsonl:1: not valid JSON: NaN is not a JSON number"),
        ("x.jsonl", '{"a": [-Infinity]}', "not valid JSON: -Infinity is not a JSON number"),
    ],
)
def test_refused_by_name(read: Any, name: str, content: Any, message: str) -> None:
    with pytest.raises(InputError) as raised:
        read(content, name, fallback=TEXT)
    assert message in str(raised.value)


def test_an_array_in_a_line_says_where_arrays_are_read() -> None:
    with pytest.raises(InputError, match=r"x:1: expected a JSON object, found '\[1\]'; an array"):
        parse_object("[1]", "x:1")


def test_one_bad_line_is_the_problem_of_its_entry(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": 1}\n\xff\n\n{oops\n{"a": 2}\n')
    found: list[str] = []
    with open_entries(str(path)) as entries:
        for entry in entries:
            try:
                found.append(str(entry.record()["a"]))
            except InputError as error:
                found.append(str(error).removeprefix(f"{path}:")[:10])
    assert found == ["1", "2: not UTF", "4: not val", "2"]


def test_a_table_of_long_and_short_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1," + "x" * 200_000 + '\n\n,\n1,"y\ny"\n1\n')
    with open_entries(str(path)) as entries:
        rows = list(entries)
    assert [row.place.removeprefix(f"{path}:") for row in rows] == ["2", "5", "7"]
    assert len(rows[0].record()["b"]) == 200_000
    assert str(rows[2].problem) == f"{path}:7: 1 fields, where the first row names 2"


@pytest.mark.parametrize(
    "text", ["1.10", "1e400", "-0.0", "12345678901234567890", "1E+2", "9" * 5000, "-1.50e-400"]
)
def test_numbers_keep_their_digits(text: str) -> None:
    record = parse_object(f'{{"x": {text}}}', "here")
    assert (repr(record["x"]), record.source) == (text, f'{{"x": {text}}}')
    assert in_one_line(f'[\n {text} ,\t{{ "a b": "c \\" d" }}]') == f'[{text},{{"a b":"c \\" d"}}]'
    with pytest.raises(InputError, match="'x' is"):
        text_under(record, "x", "here", "text_field")


def test_how_far_a_file_has_been_read(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("".join(f"{number}\n" for number in range(50_000)))
    with open_entries(str(path), fallback=TEXT) as entries:
        shares = [entries.source.share() for _ in entries]
    assert all(share is not None for share in shares)
    assert 0.4 < (shares[25_000] or 0) < 0.6
    assert shares[-1] == 1.0


def test_lines_have_places(tmp_path: Path) -> None:
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(gzip.compress("\ufeffa\tb\r\nc".encode()))
    with open_lines(str(path)) as lines:
        assert list(lines) == [(f"{path}:1", "a\tb"), (f"{path}:2", "c")]
    with pytest.raises(InputError, match=r"not valid JSON: .*column 2"):
        parse_json("{x", "here")


@pytest.mark.parametrize("name", ["nowhere", ".", "x.txt/y"])
def test_what_cannot_be_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.txt").write_text("")
    message = f"{name}: cannot be read: " if name != "." else ": cannot be read: Is a directory"
    with pytest.raises(InputError, match=message), open_entries(str(tmp_path / name)):
        pass
