"""The command line as a process of its own: pipes, encodings, endless input."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "edge_rerank"]


def test_utf8_whatever_the_locale(artifact_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    for extra in ([], ["--json"]):
        result = subprocess.run(
            [*COMMAND, "rank", "naïve", "--model", str(artifact_path), *extra],
            input="wörld 中文 😀\n".encode(),
            capture_output=True,
            env=environment,
            timeout=60,
        )
        assert result.returncode == 0, result.stderr
        assert "wörld 中文 😀" in result.stdout.decode("utf-8")
        assert b"\r" not in result.stdout


def test_a_reader_that_goes_away(artifact_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "score", "--model", str(artifact_path), "--engine", "onnxruntime"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    line = json.dumps({"query": "eat", "document": "plants"}).encode() + b"\n"
    try:
        process.stdin.write(line * 5000)
        process.stdin.close()
    except BrokenPipeError:
        pass
    assert process.wait(timeout=60) == 1
    assert process.stderr.read() == b""
    process.stderr.close()


def test_a_program_that_waits_for_each_answer(artifact_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "score", "--model", str(artifact_path), "--at-a-time", "1"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    for place in range(3):
        line = json.dumps({"id": place, "query": "eat", "document": "plants"})
        process.stdin.write(line.encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == place
    process.communicate(timeout=60)
    assert process.returncode == 0


_PEAK = """
import pathlib, sys
from edge_rerank.cli import main
code = main(["score", "--model", sys.argv[1], "--input", sys.argv[2], "--output", sys.argv[3]])
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
print(code, next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_many_pairs_need_no_more_memory_than_few(artifact_path: Path, tmp_path: Path) -> None:
    peaks = []
    for count in (1_000, 30_000):
        line = json.dumps({"query": "eat", "document": "plants eat light", "pad": "x" * 1000})
        source, target = tmp_path / f"{count}.jsonl", tmp_path / f"{count}.out"
        source.write_text(f"{line}\n" * count)
        result = subprocess.run(
            [sys.executable, "-c", _PEAK, str(artifact_path), str(source), str(target)],
            capture_output=True,
            text=True,
            check=True,
        )
        code, peak = result.stdout.split()
        assert code == "0"
        assert target.read_bytes().count(b"\n") == count
        peaks.append(float(peak))
    assert peaks[1] - peaks[0] < 12  # the lines alone are 30 MB
