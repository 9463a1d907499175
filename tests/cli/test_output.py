"""Where scored lines may go: what ``>`` can write to, ``--output`` can write to."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.cli.runs import COMMAND, LINE, run, shell, tiny

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


IS_LINUX = sys.platform == "linux"
IS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="needs root to mount")
_WITHOUT_PRIVILEGE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
held_to_modes = pytest.mark.skipif(
    IS_ROOT and shutil.which("setpriv") is None, reason="root passes over modes"
)


@pytest.fixture
def words(artifact_path: Path) -> list[str]:
    return ["score", *tiny(artifact_path), "--output"]


@pytest.fixture(scope="module")
def scored(artifact_path: Path) -> bytes:
    done = run("score", *tiny(artifact_path), input=LINE * 3)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 3)
    return done.stdout


def test_existing_files_keep_mode_and_links(
    words: list[str], scored: bytes, tmp_path: Path
) -> None:
    private, link, dangling = (tmp_path / name for name in ("private", "link", "dangling"))
    private.write_text("old")
    private.chmod(0o600)
    link.symlink_to(private)
    dangling.symlink_to(tmp_path / "new")
    for path in (private, link, dangling):
        assert run(*words, path, input=LINE * 3).returncode == 0
        assert path.read_bytes() == scored
    assert stat.S_IMODE(private.stat().st_mode) == 0o600
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
def test_new_files_have_the_mode_that_is_asked_for(
    words: list[str], tmp_path: Path, mask: int
) -> None:
    done = shell(f'umask {mask:04o}; "$@"', *words, tmp_path / "o", input=LINE)
    assert done.returncode == 0
    assert stat.S_IMODE((tmp_path / "o").stat().st_mode) == 0o666 & ~mask


@pytest.mark.parametrize("name", ["x" * 250, "é" * 125, "x" * 255])
def test_long_names(words: list[str], scored: bytes, tmp_path: Path, name: str) -> None:
    output = tmp_path / name
    cut = run(*words, output, input=LINE * 2 + b"{oops\n")
    assert (cut.returncode, b"2 scored lines are kept in " in cut.stderr) == (2, True)
    done = run(*words, output, "--resume", input=LINE * 3)
    assert done.returncode == 0, done.stderr
    assert output.read_bytes() == scored
    assert list(tmp_path.iterdir()) == [output]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"])
def test_standard_output_by_its_other_names(
    words: list[str], scored: bytes, tmp_path: Path, name: str
) -> None:
    assert run(*words, name, input=LINE * 3).stdout == scored
    log = tmp_path / "log"
    shell('{ echo before; "$@"; echo after; } > "$LOG"', *words, name, input=LINE * 3,
          environment={"LOG": str(log)})  # fmt: skip
    assert log.read_bytes() == b"before\n" + scored + b"after\n"


def test_pipes(words: list[str], scored: bytes, tmp_path: Path) -> None:
    line = '"$@" --output >(cat > "$TO") && wait'
    done = subprocess.run(
        ["bash", "-c", line.replace('"$@" --output', '"$@"'), "bash", *COMMAND, *words],
        input=LINE * 3, capture_output=True, env={**os.environ, "TO": str(tmp_path / "o")},
    )  # fmt: skip
    # bash puts the pipe's name after the last word, which is --output.
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o").read_bytes() == scored
    fifo, found = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    reader.start()
    assert run(*words, fifo, input=LINE * 3).returncode == 0
    reader.join(30)
    assert found == [scored]
    assert fifo.is_fifo()


@as_root
def test_a_file_of_another_owner_stays_theirs(
    words: list[str], scored: bytes, tmp_path: Path
) -> None:
    output = tmp_path / "o"
    output.write_text("old and longer than what comes " * 50)
    output.chmod(0o666)
    os.chown(output, 65534, 65534)
    line = ["setpriv", "--bounding-set=-chown", *COMMAND, *words, str(output)]
    done = subprocess.run(line, input=LINE * 3, capture_output=True, timeout=120)
    assert (done.returncode, output.read_bytes()) == (0, scored), done.stderr
    assert (output.stat().st_uid, list(tmp_path.iterdir())) == (65534, [output])


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """Return a device that takes all and keeps nothing: one of the test's own, where that can be.

    What a mistake would replace is then not the machine's, which every other program needs.
    """
    own, device = tmp_path / "null", os.stat(os.devnull)
    try:
        os.mknod(own, stat.S_IFCHR | 0o666, os.makedev(1, 3) if IS_LINUX else device.st_rdev)
        own.write_bytes(b"x")  # refused where devices do not count, as on some containers' disks
    except OSError:
        if not stat.S_ISCHR(device.st_mode):
            pytest.skip(f"{os.devnull} is no device here, and none can be made")
        return Path(os.devnull)
    return own


def test_devices(words: list[str], null: Path) -> None:
    done = run(*words, "/dev/stderr", input=LINE)
    assert (done.returncode, done.stdout, done.stderr.count(b"\n")) == (0, b"", 1)
    assert run(*words, null, input=LINE).returncode == 0
    assert stat.S_ISCHR(null.stat().st_mode)


def run_by_modes(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the command where modes count, for root too."""
    line = [*(_WITHOUT_PRIVILEGE if IS_ROOT else []), *COMMAND, *map(str, words)]
    return subprocess.run(line, capture_output=True, timeout=120, **options)


@held_to_modes
def test_a_writable_file_in_a_folder_that_is_not(
    words: list[str], scored: bytes, tmp_path: Path
) -> None:
    """It is written in place: its lines stay there when the run ends early, and are resumed."""
    output = tmp_path / "o"
    output.write_text("old")
    tmp_path.chmod(0o555)
    for content, code in ((b"{oops\n", 2), (LINE * 2 + b"{oops\n", 2), (LINE * 3, 0)):
        done = run_by_modes(*words, output, input=content)
        assert done.returncode == code, done.stderr
        if content == b"{oops\n":
            assert output.read_text() == "old"
        elif code:
            assert f"2 scored lines are kept in {output}; " in done.stderr.decode()
            assert output.read_bytes().count(b"\n") == 2
    assert output.read_bytes() == scored
    output.write_bytes(scored[:-5])
    done = run_by_modes(*words, output, "--resume", input=LINE * 3)
    assert (done.returncode, output.read_bytes()) == (0, scored)
    assert list(tmp_path.iterdir()) == [output]
    tmp_path.chmod(0o755)


@as_root
def test_a_file_that_is_a_mount_point(words: list[str], scored: bytes, tmp_path: Path) -> None:
    source, output = tmp_path / "source", tmp_path / "o"
    source.write_text("old and longer than what comes " * 50)
    output.write_text("")
    script = 'mount --bind "$SOURCE" "$OUT" && "$@"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *COMMAND, *words, str(output)],
        input=LINE * 3,
        capture_output=True,
        env={**os.environ, "SOURCE": str(source), "OUT": str(output)},
    )
    if b"unshare" in done.stderr or b"mount:" in done.stderr:
        pytest.skip("mounting is not allowed here")
    assert (done.returncode, done.stderr) == (0, b"")
    assert source.read_bytes() == scored
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o", "source"]


@held_to_modes
def test_refusals_come_before_the_work(tmp_path: Path) -> None:
    """The model does not even exist; nothing is left behind."""
    protected, folder = tmp_path / "protected", tmp_path / "folder"
    protected.write_text("old")
    protected.chmod(0o444)
    folder.mkdir()
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    tmp_path.chmod(0o555)
    words = ["score", "--model", "/nowhere", "--output"]
    for output, reason in (
        (tmp_path / "no" / "x", "No such file or directory"),
        (folder, "is a folder; expected a file to write"),
        (f"{folder}/", "is a folder; expected a file to write"),
        (f"{tmp_path}/new/", "is a folder; expected a file to write"),
        (".", "is a folder; expected a file to write"),
        (protected, "Permission denied"),
        (tmp_path / "new", "Permission denied"),
        (protected / "x", "Not a directory"),
        (tmp_path / ("x" * 256), "File name too long"),
        (loop, "symbolic links"),
        ("/dev/fd/77", "No such file or directory"),
        ("", "the output's name is empty"),
    ):
        done = run_by_modes(*words, output, input=LINE)
        assert (done.returncode, done.stdout) == (2, b""), (output, done)
        assert reason in done.stderr.decode()
        assert str(output) in done.stderr.decode()
        assert done.stderr.count(b"\n") == 1
    tmp_path.chmod(0o755)
    assert protected.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "loop", "protected"]


def test_the_input_is_not_the_output(words: list[str], tmp_path: Path) -> None:
    path, link = tmp_path / "x.jsonl", tmp_path / "link"
    path.write_bytes(LINE)
    link.symlink_to(path)
    os.link(path, tmp_path / "hard")
    for name in (path, link, tmp_path / "hard", tmp_path / "." / "x.jsonl"):
        done = run(*words, name, path)
        assert (done.returncode, b": is the output as well" in done.stderr) == (2, True)
    model = words[1:3]
    for script in ('"$@" < "$X" >> "$X"', '"$@" --output "$X" < "$X"', '"$@" "$X" >> "$X"'):
        done = shell(script, "score", *model, environment={"X": str(path)})
        assert (done.returncode, b": is the output as well" in done.stderr) == (2, True)
    assert path.read_bytes() == LINE


def test_a_file_is_copied_whole_where_each_write_takes_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_rerank.cli.output import open_output

    path = tmp_path / "scored.jsonl"
    path.write_text("".join(f"line {number}\n" for number in range(100)), "utf-8")
    before, write = path.read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda number, data: write(number, bytes(data)[:7]))
    output = open_output(str(path), resume=True)
    output.write(["one more\n"])
    output.publish()
    assert path.read_bytes() == before + b"one more\n"
