"""Folders of parts: each row once, the scores of one process, and nothing finished is redone."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.cli import main
from tests.cli.runs import COMMAND, tiny

arrow: Any = pytest.importorskip("pyarrow")
parquet: Any = pytest.importorskip("pyarrow.parquet")
ADDED = ["score", "logit", "tokens", "truncated"]


def rows(count: int, start: int = 0) -> dict[str, list[Any]]:
    places = range(start, start + count)
    return {
        "id": list(places),
        "query": [f"eat {place % 7}" for place in places],
        "document": ["water " * (place % 9) for place in places],
    }


def write_parts(folder: Path, count: int = 3, size: int = 5) -> Path:
    """Write parts of Parquet, one of them in a folder within, and what Spark leaves beside them."""
    (folder / "b=1").mkdir(parents=True)
    for part in range(count):
        name = "b=1/last.parquet" if part == count - 1 else f"{part}.parquet"
        parquet.write_table(arrow.table(rows(size, part * size)), folder / name, row_group_size=4)
    (folder / "_SUCCESS").touch()
    (folder / ".part.crc").write_text("x")
    return folder


def score(artifact_path: Path, capsys: Any, *words: Any) -> tuple[int, str]:
    code = main(["score", *map(str, words), *tiny(artifact_path)])
    return code, capsys.readouterr().err


def table(folder: Path) -> Any:
    found = [parquet.read_table(path, partitioning=None) for path in folder.rglob("*.parquet")]
    return arrow.concat_tables(found).sort_by("id")


def expected(artifact_path: Path, count: int) -> list[float]:
    columns = rows(count)
    with Reranker.load(artifact_path, engine="onnxruntime") as reranker:
        pairs = list(zip(columns["query"], columns["document"], strict=True))
        scores: list[float] = reranker.predict(pairs).tolist()
        return scores


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what would be others had a file been written again."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_parquet_in_and_out(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    source, output = write_parts(tmp_path / "pairs"), tmp_path / "new" / "scored"
    more = arrow.table(
        {
            **rows(5, 15),
            "raw": [b"\xff", None, b"", b"a", b"b"],
            "list": [[1], [], None, [2, 3], [4]],
        }
    ).replace_schema_metadata({"by": "me"})
    parquet.write_table(more, tmp_path / "single.parquet", compression="zstd")
    assert score(artifact_path, capsys, source, "--output", output) == (0, "")
    assert sorted(files(output)) == ["0.parquet", "1.parquet", "b=1/last.parquet"]
    found = table(output)
    assert found.column_names == ["id", "query", "document", *ADDED]
    assert found["id"].to_pylist() == list(range(15))
    assert found["score"].to_pylist() == expected(artifact_path, 15)
    assert [str(field.type) for field in found.schema][3:] == ["float", "float", "int32", "bool"]
    one = tmp_path / "single-scored.parquet"
    assert score(artifact_path, capsys, tmp_path / "single.parquet", "--output", one) == (0, "")
    scored = parquet.ParquetFile(one)
    assert scored.read().drop_columns(ADDED).replace_schema_metadata(more.schema.metadata) == more
    assert scored.schema_arrow.metadata[b"by"] == b"me"
    assert scored.metadata.row_group(0).column(0).compression == "ZSTD"


def test_lines_in_and_out(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    source, output = tmp_path / "pairs", tmp_path / "scored"
    source.mkdir()
    columns = rows(12)
    lines = [
        json.dumps(dict(zip(columns, row, strict=True))) + "\n"
        for row in zip(*columns.values(), strict=True)
    ]
    (source / "a.jsonl").write_text("".join(lines[:3]))
    (source / "b.ndjson.gz").write_bytes(gzip.compress("".join(lines[3:6]).encode()))
    (source / "c.json").write_text("[" + ",".join(lines[6:9]) + "]")
    (source / "d.csv").write_text("id,query,document\n9,eat 2,\n10,eat 3,water \n11,eat 4,x\n")
    assert score(artifact_path, capsys, source, "--output", output) == (0, "")
    assert sorted(files(output)) == ["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"]
    found = [
        json.loads(line)
        for path in sorted(output.iterdir())
        for line in path.read_text().splitlines()
    ]
    assert [int(line["id"]) for line in found] == list(range(12))
    assert [line["score"] for line in found[:9]] == expected(artifact_path, 9)
    before = files(output)
    assert score(artifact_path, capsys, source, "--output", output, "--resume") == (
        0,
        "edge-rerank: 4 of 4 parts were finished already\n",
    )
    assert files(output) == before


# The command, killed by itself in the middle of the third part of 300 rows.
_KILLED = """
import os, signal, sys
from edge_rerank.cli import main
from edge_rerank.cli.scoring import Scorer
batches, rows = Scorer.batches, 0

def counted(self, lines, at_a_time):
    global rows
    for batch in batches(self, lines, at_a_time):
        rows += len(batch)
        if rows > 750:
            os.kill(os.getpid(), signal.SIGKILL)
        yield batch

Scorer.batches = counted
main(sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_kill_loses_no_finished_part(
    artifact_path: Path, tmp_path: Path, capsys: Any, kind: str
) -> None:
    source, output = tmp_path / "pairs", tmp_path / "scored"
    source.mkdir()
    for part in range(8):
        columns = rows(300, part * 300)
        if kind == "parquet":
            parquet.write_table(arrow.table(columns), source / f"{part}.parquet")
            continue
        lines = (
            json.dumps(dict(zip(columns, row, strict=True))) + "\n"
            for row in zip(*columns.values(), strict=True)
        )
        (source / f"{part}.jsonl").write_text("".join(lines))
    words = [str(source), "--output", str(output), "--at-a-time", "8", *tiny(artifact_path)]
    killed = subprocess.run([sys.executable, "-c", _KILLED, "score", *words], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(output.glob("*.partial"))
    finished = {name: found for name, found in files(output).items() if name.endswith(kind)}
    assert sorted(finished) == [f"0.{kind}", f"1.{kind}"]
    assert main(["score", *words]) == 2
    assert "is not empty, it holds" in capsys.readouterr().err
    assert main(["score", *words, "--resume"]) == 0
    assert "2 of 8 parts were finished already" in capsys.readouterr().err
    now = files(output)
    assert sorted(now) == [f"{part}.{kind}" for part in range(8)]
    assert finished.items() <= now.items()
    if kind == "parquet":
        found = table(output)
        ids, scores = found["id"].to_pylist(), found["score"].to_pylist()
    else:
        scored = [
            json.loads(line)
            for path in sorted(output.iterdir())
            for line in path.read_text().splitlines()
        ]
        ids, scores = ([line[name] for line in scored] for name in ("id", "score"))
    assert ids == list(range(2400))
    assert np.array(scores, np.float32).tobytes() == (
        np.array(expected(artifact_path, 2400), np.float32).tobytes()
    )


def test_a_bad_row_names_its_part(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    source, output = write_parts(tmp_path / "pairs"), tmp_path / "scored"
    columns = rows(5, 5)
    columns["document"][3] = None
    parquet.write_table(arrow.table(columns), source / "1.parquet")
    code, said = score(artifact_path, capsys, source, "--output", output)
    assert (code, sorted(files(output))) == (2, ["0.parquet"])
    assert said == (
        f"edge-rerank: {source}/1.parquet: row 4: 'document' is None; expected a string; 1 of 3 "
        f"parts are finished in {output}; the same command with --resume goes on after them\n"
    )
    before = files(output)["0.parquet"]
    for policy, count, told in (("skip", 14, "left out"), ("null", 15, "written with a score of")):
        other = tmp_path / policy
        words = (source, "--output", other, "--on-error", policy)
        code, said = score(artifact_path, capsys, *words)
        assert (code, table(other).num_rows) == (0, count)
        assert "1 of 15 lines could not be scored and were " + told in said
        assert f"{source}/1.parquet: row 4: " in said
        assert score(artifact_path, capsys, *words, "--resume")[0] == 0
    bad = table(tmp_path / "null").slice(8, 1).to_pylist()[0]
    assert (bad["id"], bad["score"], bad["tokens"]) == (8, None, None)
    assert "'document' is None" in bad["error"]
    parquet.write_table(arrow.table(rows(5, 5)), source / "1.parquet")
    assert score(artifact_path, capsys, source, "--output", output, "--resume")[0] == 0
    assert files(output)["0.parquet"] == before
    assert table(output)["score"].to_pylist() == expected(artifact_path, 15)


def of(**changed: Any) -> Any:
    columns = {
        name: values for name, values in {**rows(5), **changed}.items() if values is not None
    }
    return arrow.table(columns)


TWICE = arrow.table([arrow.array(["a"])] * 3, ["query", "document", "document"])


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (of(document=None), "1.parquet: no column 'document', only id, query; name it with --text"),
        (of(query=[1, 2, 3, 4, 5]), "1.parquet: column 'query' is int64; expected string: cast"),
        (of(document=[["a"]] * 5), "column 'document' is list<"),
        (of(score=[0.5] * 5), "1.parquet: has the column 'score' already"),
        (TWICE, "1.parquet: has more than one column 'document'; rename all but one"),
        (of(id=["a"] * 5), "1.parquet: column 'id' is string, and in "),
        (of(id=None), "1.parquet: lacks the column 'id', which "),
        (of(more=[1] * 5), "0.parquet: lacks the column 'more', which "),
        (b"PAR1 is no more than this", "1.parquet: is no whole Parquet file: "),
        (b"", "1.parquet: is no whole Parquet file: "),
        (b"{}", "1.parquet: is no whole Parquet file: "),
    ],
)
def test_parts_that_do_not_fit_are_refused_before_any_work(
    artifact_path: Path, tmp_path: Path, capsys: Any, bad: Any, message: str
) -> None:
    source, output = write_parts(tmp_path / "pairs"), tmp_path / "scored"
    if isinstance(bad, bytes):
        (source / "1.parquet").write_bytes(bad)
    else:
        parquet.write_table(bad, source / "1.parquet")
    code, said = score(artifact_path, capsys, source, "--output", output)
    assert (code, files(output)) == (2, {})
    assert message in said
    assert said.count("\n") == 1
    assert "parts are finished" not in said


def test_columns_of_other_kinds_of_text(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    """One type of Parquet has several of Arrow's; a row that is not UTF-8 is named."""
    source, columns = tmp_path / "pairs", rows(5)
    source.mkdir()
    large = arrow.array(columns["document"], arrow.large_string())
    parquet.write_table(of(document=large, query=arrow.array(["eat"] * 5).dictionary_encode()),
                        source / "0.parquet")  # fmt: skip
    parquet.write_table(of(query=["eat"] * 5), source / "1.parquet")
    assert score(artifact_path, capsys, source, "--output", tmp_path / "a") == (0, "")
    found = [parquet.read_table(tmp_path / "a" / f"{part}.parquet") for part in (0, 1)]
    assert found[0]["score"].to_pylist() == found[1]["score"].to_pylist()
    raw = arrow.array([b"a", b"\xff", b"c", b"d", b"e"])
    invalid = arrow.StringArray.from_buffers(5, raw.buffers()[1], raw.buffers()[2])
    parquet.write_table(of(document=invalid), source / "1.parquet")
    parquet.write_table(of(), source / "0.parquet")
    code, said = score(artifact_path, capsys, source, "--output", tmp_path / "b")
    assert (code, f"{source}/1.parquet: row 2: 'document' is b'\\xff'; expected a str" in said) == (
        2,
        True,
    )


def test_an_empty_part_and_an_empty_table(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    source, output = write_parts(tmp_path / "pairs"), tmp_path / "scored"
    parquet.write_table(of().slice(0, 0), source / "2.parquet")
    assert score(artifact_path, capsys, source, "--output", output) == (0, "")
    assert parquet.read_table(output / "2.parquet").num_rows == 0
    assert table(output).num_rows == 15
    code, said = score(artifact_path, capsys, source, "--output", output, "--resume")
    assert (code, "4 of 4 parts were finished" in said) == (0, True)


@pytest.mark.parametrize("kind", ["other rows", "fewer rows", "options", "model", "other texts"])
def test_a_finished_part_of_something_else_is_not_kept(
    artifact_path: Path, tmp_path: Path, capsys: Any, kind: str
) -> None:
    source, output = write_parts(tmp_path / "pairs"), tmp_path / "scored"
    assert score(artifact_path, capsys, source, "--output", output)[0] == 0
    changed = {"other rows": rows(5, 90), "fewer rows": rows(4, 5), "other texts": rows(5, 5)}
    if kind in changed:
        if kind == "other texts":
            changed[kind]["document"][4] += "steel"
        parquet.write_table(arrow.table(changed[kind]), source / "1.parquet")
    before = files(output)
    words = [source, "--output", output, "--resume"]
    if kind == "model":
        code, said = main(["score", *map(str, words)]), capsys.readouterr().err
    else:
        words += ["--logits"] if kind == "options" else []
        code, said = score(artifact_path, capsys, *words)
    assert (code, files(output)) == (2, before)
    assert " again, or name another --output" in said
    assert f"remove it to score {source}/" in said
    assert "parts are finished" not in said


def test_folders_that_cannot_be(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    source = write_parts(tmp_path / "pairs")
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    single = source / "0.parquet"
    lines = tmp_path / "x.jsonl"
    lines.write_text('{"query": "eat", "document": "plants"}\n')
    for words, message in (
        ((source,), "is a folder; name one for its scores with --output"),
        ((source, "--output", tmp_path / "file"), "is no folder; "),
        ((source, "--output", source), "lies in the input"),
        ((source, "--output", source / "new"), "lies in the input"),
        ((tmp_path / "empty", "--output", tmp_path / "o"), "holds no file to score"),
        ((single, "--output", single), "is the output as well"),
        ((lines, "--output", tmp_path / "o.parquet"), "Parquet is written of Parquet alone"),
        ((single, "--output", tmp_path / "o", "--cluster", "ray"), "spreads a folder's files"),
        ((source, "--workers", 2), "--workers says something of a cluster"),
        ((source, "--cluster-address", "x"), "--cluster-address says something of a cluster"),
        ((source, "--cluster", "ray", "--threads", "auto"), "--threads auto: workers of a clus"),
    ):
        code, said = score(artifact_path, capsys, *words)
        assert code == 2, words
        assert message in said, words
    assert main(["score", str(source), "--engine", "ray", "--cluster", "dask"]) == 2
    assert "--engine ray and --cluster dask name two" in capsys.readouterr().err
    (source / "notes.txt").write_text("x")
    code, said = score(artifact_path, capsys, source, "--output", tmp_path / "o")
    assert (code, f"{source}/notes.txt: its name does not say what it is" in said) == (2, True)
    (source / "notes.txt").rename(source / "notes.jsonl")
    code, said = score(artifact_path, capsys, source, "--output", tmp_path / "o")
    assert (code, "holds Parquet and lines" in said) == (2, True)
    (tmp_path / "empty" / "a.csv").write_text("query,document\n")
    (tmp_path / "empty" / "a.jsonl").touch()
    code, said = score(artifact_path, capsys, tmp_path / "empty", "--output", tmp_path / "o")
    assert (code, "would both become" in said) == (2, True)


def test_parquet_where_lines_are_read(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    from datetime import date

    path = tmp_path / "x.parquet"
    parquet.write_table(of(day=[date(2026, 1, day) for day in range(1, 6)]), path)
    code = main(["score", str(path), *tiny(artifact_path)])
    out, _ = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, [line["score"] for line in found]) == (0, expected(artifact_path, 5))
    assert [line["day"] for line in found][:2] == ["2026-01-01", "2026-01-02"]
    words = ["rank", "eat", "--file", str(path), "--text-field", "document", "--json"]
    assert main([*words, *tiny(artifact_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5
    parquet.write_table(of(raw=[b"a"] * 5), path)
    assert main(["score", str(path), *tiny(artifact_path)]) == 2
    assert "x.parquet: row 1: column 'raw' (binary) is b'a', which JSON has" in (
        capsys.readouterr().err
    )
    parquet.write_table(of(x=[1.0, float("nan"), 2.0, 3.0, 4.0]), path)
    assert main(["score", str(path), *tiny(artifact_path)]) == 2
    assert "x.parquet: row 2: column 'x' (double) is nan" in capsys.readouterr().err


def test_windows_and_other_names(artifact_path: Path, tmp_path: Path, capsys: Any) -> None:
    path, output = tmp_path / "x.parquet", tmp_path / "o.parquet"
    long = arrow.table({"q": ["eat"] * 2, "text": ["water", "plants eat light. " * 60]})
    parquet.write_table(long, path)
    words = (path, "--output", output, "--query-field", "q", "--text-field", "text")
    names = ("--score-field", "s", "--long-documents", "windows", "--logits")
    assert score(artifact_path, capsys, *words, *names) == (0, "")
    found = parquet.read_table(output).to_pylist()
    assert list(found[0])[2:] == [
        *("s", "s_logit", "s_tokens", "s_truncated", "s_windows", "s_window")
    ]
    assert (found[0]["s_windows"], found[0]["s_window"]) == (1, [0, 5])
    assert found[1]["s_windows"] > 1
    assert len(found[1]["s_window"]) == 2
    assert found[0]["s"] == found[0]["s_logit"]
    assert score(artifact_path, capsys, *words, *names, "--resume") == (
        0,
        "edge-rerank: 1 of 1 parts were finished already\n",
    )


def test_without_pyarrow_the_extra_is_named(
    artifact_path: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_parts(tmp_path / "pairs")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    for words in ((source, "--output", tmp_path / "o"), (source / "0.parquet",)):
        code, said = score(artifact_path, capsys, *words)
        assert code == 1
        assert "Parquet needs pyarrow, which cannot be imported" in said
        assert "[parquet]" in said


@pytest.mark.skipif(sys.platform == "win32", reason="ulimit")
def test_a_full_disk_leaves_the_finished_parts(artifact_path: Path, tmp_path: Path) -> None:
    import resource

    source, output = write_parts(tmp_path / "pairs"), tmp_path / "scored"
    parquet.write_table(
        arrow.table({**rows(2000), "pad": [os.urandom(50) for _ in range(2000)]}).drop_columns([]),
        source / "0.parquet",
    )
    for name in ("1.parquet", "b=1/last.parquet"):
        parquet.write_table(
            arrow.table({**rows(9), "pad": [b""] * 9}), source / name, compression="none"
        )
    done = subprocess.run(
        [*COMMAND, "score", str(source), "--output", str(output), *tiny(artifact_path)],
        capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)),
    )  # fmt: skip
    assert (done.returncode, files(output)) == (1, {})
    assert "File too large; " in done.stderr
    assert "0 of 3 parts are finished" in done.stderr
