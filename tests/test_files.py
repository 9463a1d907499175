"""Files that appear whole or not at all, wherever a shell's ``>`` could write."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from edge_rerank.files import OutputFile, is_partial, partial_name, whole_file

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def write(path: Path, text: str = "new") -> None:
    with whole_file(path) as stream:
        stream.write(text.encode())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with whole_file(path) as stream:
        stream.write(b"a")
        assert not path.exists()
        assert [is_partial(file.name) for file in tmp_path.iterdir()] == [True]
    assert path.read_bytes() == b"a"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_what_was_there(error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("old")

    def fail() -> None:
        with whole_file(path) as stream:
            stream.write(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_runs_and_the_leftovers_of_a_third(tmp_path: Path) -> None:
    path = tmp_path / "out"
    dead = tmp_path / partial_name()
    dead.write_text("dead")
    (tmp_path / "out.partial").write_text("somebody's")
    one, other = OutputFile(path), OutputFile(path)
    one.stream.write(b"one")
    other.stream.write(b"other")
    one.discard()
    other.publish()
    assert path.read_text() == "other"
    assert dead.read_text() == "dead"
    assert (tmp_path / "out.partial").read_text() == "somebody's"
    assert len(list(tmp_path.iterdir())) == 3


def test_names_as_long_as_a_file_system_has_them(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250)
    write(path)
    assert path.read_text() == "new"
    with pytest.raises(OSError, match="too long"):
        write(tmp_path / ("n" * 256))


@posix
def test_modes(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("old")
    kept.chmod(0o640)
    write(kept)
    assert mode(kept) == 0o640
    for umask in (0o022, 0o077):
        before = os.umask(umask)
        try:
            write(tmp_path / f"{umask:o}")
        finally:
            os.umask(before)
        assert mode(tmp_path / f"{umask:o}") == 0o666 & ~umask


@posix
def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to(target)
    write(link, "through a dangling link")
    assert target.read_text() == "through a dangling link"
    write(link)
    assert link.is_symlink()
    assert target.read_text() == "new"


@posix
def test_pipes_and_open_files_are_written_in_place(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    write(Path(f"/dev/fd/{writer}"))
    assert os.read(reader, 10) == b"new"
    os.close(reader)
    os.close(writer)
    fifo, found = tmp_path / "fifo", list[bytes]()
    os.mkfifo(fifo)
    thread = threading.Thread(target=lambda: found.append(fifo.read_bytes()))
    thread.start()
    write(fifo)
    thread.join(10)
    assert found == [b"new"]
    opened = tmp_path / "opened"
    with opened.open("w+b") as stream:
        write(Path(f"/dev/fd/{stream.fileno()}"))
        assert stream.read() == b"new", "the open file itself has what was written"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["fifo", "opened"]


@posix
def test_a_writable_file_in_a_folder_that_is_not(
    tmp_path: Path, as_nobody: Callable[[], AbstractContextManager[None]]
) -> None:
    path, locked = tmp_path / "out", tmp_path / "locked"
    for file, bits in ((path, 0o666), (locked, 0o444)):
        file.write_text("old and longer")
        file.chmod(bits)
    tmp_path.chmod(0o555)
    try:
        with as_nobody():
            write(path)
            for refused in (locked, tmp_path / "another"):
                with pytest.raises(PermissionError, match=refused.name):
                    OutputFile(refused)
    finally:
        tmp_path.chmod(0o755)
    assert path.read_text() == "new"
    assert locked.read_text() == "old and longer"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["locked", "out"]


@pytest.mark.skipif(sys.platform != "linux", reason="mounts a file")
def test_a_file_that_is_a_mount_point(tmp_path: Path) -> None:
    source, path = tmp_path / "source", tmp_path / "out"
    source.write_text("old and longer")
    path.touch()
    mount = ["mount", "--bind", str(source), str(path)]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    try:
        write(path)
        assert path.read_text() == "new"
        assert sorted(file.name for file in tmp_path.iterdir()) == ["out", "source"]
    finally:
        subprocess.run(["umount", str(path)], check=True)
    assert source.read_text() == "new"


def test_a_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing" / "out"):
        with pytest.raises(OSError, match=path.name):
            OutputFile(path)
    assert list(tmp_path.iterdir()) == []
