"""Where an export may go, what is refused before the work, and what is left when it ends early."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker
from edge_rerank.files import partial_name
from tests.export.conftest import Make

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")


def fill(output: Path, meanwhile: Callable[[], None] = lambda: None) -> Path:
    """Do what an export does, without the computing."""
    from edge_rerank_export.output import output_folder

    with output_folder(output) as place:
        (place.scratch / "fp32.onnx").write_text("not kept")
        for name in ("manifest.json", "model.onnx", "config.json"):
            (place.artifact / name).write_text(f"ours: {name}")
        meanwhile()
    return Path(place.target)


def is_filled(folder: Path) -> bool:
    names = {"manifest.json", "model.onnx", "config.json"}
    return names <= {
        file.name for file in folder.iterdir() if file.read_text() == f"ours: {file.name}"
    }


@pytest.fixture
def small_volume(tmp_path: Path) -> Iterator[Path]:
    """Mount a new file system of 300 KB."""
    folder = tmp_path / "volume"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "none", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("may not mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@posix
@pytest.mark.parametrize(("umask", "precision"), [(0o022, "fp32"), (0o077, "int8")])
def test_modes_are_those_that_the_umask_asks_for(
    umask: int, precision: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportOptions, export_model

    before = os.umask(umask)
    try:
        output = tmp_path / "out" / "model"
        options = ExportOptions(precision=precision)
        export_model(str(make_checkpoint()), output, options, report=lambda line: None)
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in output.iterdir()}
    assert modes == dict.fromkeys(modes, 0o666 & ~umask)
    assert stat.S_IMODE(output.stat().st_mode) == 0o777 & ~umask
    assert os.listdir(output.parent) == ["model"]


def test_the_folder_that_the_shell_stands_in(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_rerank_export import ExportOptions, export_model

    monkeypatch.chdir(tmp_path)
    before = tmp_path.stat().st_ino
    options = ExportOptions(precision="fp32")
    export_model(str(make_checkpoint()), ".", options, report=lambda line: None)
    assert tmp_path.stat().st_ino == before
    with Reranker.load(".") as reranker:
        assert reranker.artifact.path == tmp_path.resolve()


def test_a_mount_point_is_filled(small_volume: Path) -> None:
    (small_volume / "lost+found").mkdir()
    fill(small_volume)
    (small_volume / "lost+found").rmdir()
    assert is_filled(small_volume)
    assert len(list(small_volume.iterdir())) == 3


def test_a_disk_without_room_is_refused_before_the_work(
    small_volume: Path, make_checkpoint: Make
) -> None:
    from edge_rerank_export import ExportError, export_model

    lines: list[str] = []
    with pytest.raises(ExportError, match=r"needs 0\.\d MB here, and 0\.\d MB are free; make room"):
        export_model(str(make_checkpoint()), small_volume / "model", report=lines.append)
    assert not any("torch" in line for line in lines)
    assert list(small_volume.iterdir()) == []


def test_a_full_disk(small_volume: Path) -> None:
    from edge_rerank_export import ExportError
    from edge_rerank_export.output import output_folder

    def write() -> None:
        with output_folder(small_volume / "model") as place:
            (place.artifact / "model.onnx").write_bytes(bytes(400_000))

    with pytest.raises(ExportError, match="model: cannot be written: No space left"):
        write()
    assert list(small_volume.iterdir()) == []


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, MemoryError, OSError])
@pytest.mark.parametrize("exists", [True, False])
def test_nothing_is_left_of_an_export_that_ends_early(
    exists: bool, ending: type[BaseException], make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportError, export_model

    def end(line: str) -> None:
        if "computing" in line:
            raise ending

    output = tmp_path / "new" / "model"
    if exists:
        output.mkdir(parents=True)
    expected = ExportError if ending is OSError else ending
    with pytest.raises(expected):
        export_model(str(make_checkpoint()), output, report=end)
    assert sorted(tmp_path.rglob("*")) == ([output.parent, output] if exists else [])


def test_leftovers_of_the_dead_are_not_in_the_way(tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    leftovers = [folder / partial_name() for folder in (tmp_path, output)]
    for leftover in leftovers:
        (leftover / "artifact").mkdir(parents=True)
    fill(output)
    assert all((leftover / "artifact").is_dir() for leftover in leftovers)
    assert (output / "manifest.json").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_of_two_exports_to_one_place_the_second_leaves_the_first_alone(
    exists: bool, tmp_path: Path
) -> None:
    from edge_rerank_export import ExportError

    output = tmp_path / "model"
    if exists:
        output.mkdir()

    def other() -> None:
        fill(output)
        (output / "config.json").write_text("the first's")

    with pytest.raises(ExportError, match="was filled by something else during the export"):
        fill(output, meanwhile=other)
    assert (output / "config.json").read_text() == "the first's"
    assert sorted(os.listdir(output)) == ["config.json", "manifest.json", "model.onnx"]
    assert os.listdir(tmp_path) == ["model"]


def test_long_names(tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    assert is_filled(fill(tmp_path / ("n" * 250)))
    with pytest.raises(ExportError, match="cannot be written: File name too long"):
        fill(tmp_path / ("n" * 256))


def test_an_empty_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of an unset variable of a shell; it must not stand for the folder that is current."""
    from edge_rerank_export import ExportError, export_model

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError, match="the output is an empty name"):
        export_model("no such checkpoint", "", report=lambda line: None)
    assert list(tmp_path.iterdir()) == []


@posix
def test_links(tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    assert fill(link) == target.resolve()
    assert is_filled(link)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    with pytest.raises(ExportError, match="loop: cannot be written"):
        fill(loop)


@posix
@pytest.mark.parametrize("exists", [True, False])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(
    exists: bool, tmp_path: Path, as_nobody: Callable[[], Any]
) -> None:
    from edge_rerank_export import ExportError, export_model

    output = tmp_path / "model"
    if exists:
        output.mkdir()
        output.chmod(0o555)
    tmp_path.chmod(0o555)
    lines: list[str] = []
    try:
        with as_nobody():
            for path in (output, tmp_path / "new" / "model"):
                with pytest.raises(ExportError, match=r"cannot be .*: Permission denied"):
                    export_model("no such checkpoint", path, report=lines.append)
    finally:
        tmp_path.chmod(0o755)
    assert lines == []


def test_a_file_above_is_refused(tmp_path: Path) -> None:
    from edge_rerank_export import ExportError

    (tmp_path / "file").write_text("precious")
    with pytest.raises(ExportError, match=r"file.*cannot be .*: Not a directory"):
        fill(tmp_path / "file" / "model")
    assert (tmp_path / "file").read_text() == "precious"


@posix
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_command_and_leaves_nothing(
    number: signal.Signals, code: int, make_checkpoint: Make, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "edge_rerank", "export", str(make_checkpoint())]
    process = subprocess.Popen(
        [*command, "--output", str(tmp_path / "new" / "model")],
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts what runs in the background with SIGINT ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "fp32 graph with Optimum" in line:
            break
    assert [path.name for path in tmp_path.iterdir()] == ["new"]
    process.send_signal(number)
    process.communicate(timeout=120)
    assert process.returncode == code
    assert list(tmp_path.iterdir()) == []
