"""The output folder: refused at once or filled at the end, so that it appears whole or not at all.

Work is done in a folder of a random name, on the file system of the output. A new output is that
work renamed; an output that exists and is empty, such as a mount point or the folder that a shell
stands in, stays and is filled, its manifest last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_rerank.artifact.folder import MANIFEST_NAME
from edge_rerank.files import is_partial, partial_name

from .errors import ExportError

_OF_THE_FILE_SYSTEM = "lost+found"
"""What a volume that was just formatted holds."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where an export works, and what it is for."""

    target: Path
    """The output folder, absolute, with links resolved."""
    root: Path
    """The folder that all of the work lies in; removed in the end."""

    @property
    def artifact(self) -> Path:
        """The folder for the artifact's files."""
        return self.root / "artifact"

    @property
    def scratch(self) -> Path:
        """The folder for what is not kept."""
        return self.root / "scratch"

    def check_room(self, size: int) -> None:
        """Raise ExportError unless ``size`` more bytes fit on the file system."""
        free = shutil.disk_usage(self.root).free
        if free < size:
            raise ExportError(
                f"{self.target}: the export needs {size / 1e6:,.1f} MB here, and "
                f"{free / 1e6:,.1f} MB are free; make room, or name a folder on another disk"
            )


@contextmanager
def output_folder(output: Path) -> Iterator[Workplace]:
    """Open a workplace for ``output``; what lies in its artifact folder is published at the end.

    Raises ExportError at the start when ``output`` cannot be written or is not empty, and at the
    end when something else was put there meanwhile. After an exception of any kind nothing is
    left of the work, and ``output`` is as it was.
    """
    target = _resolved(output)
    with _new_parents(target):
        place = Workplace(target, (target if target.is_dir() else target.parent) / partial_name())
        try:
            for folder in (place.root, place.artifact, place.scratch):
                folder.mkdir()
            yield place
            _publish(place)
        except OSError as error:
            if not _is_about(place, error):
                raise
            reason = error.strerror or str(error)
            raise ExportError(f"{target}: cannot be written: {reason}") from error
        finally:
            shutil.rmtree(place.root, ignore_errors=True)


def _is_about(place: Workplace, error: OSError) -> bool:
    """Whether an error is about the output, and not, say, about a file of the checkpoint."""
    if not isinstance(error.filename, (str, os.PathLike)):
        return True  # a full disk
    path = Path(error.filename)
    return path.is_relative_to(place.root) or path.is_relative_to(place.target)


def _resolved(output: Path) -> Path:
    """Return the absolute path of a folder that is new or empty; raises ExportError for another."""
    try:
        target = output.resolve()
        if target.exists() and not target.is_dir():
            raise ExportError(f"{output}: exists and is not a folder; name another one")
        if target.exists() and not all(map(_does_not_count, os.listdir(target))):
            raise ExportError(
                f"{output}: is not empty; name a new folder, or remove this one first"
            )
    except (OSError, RuntimeError, ValueError) as error:  # too long, a loop of links, a NUL
        reason = getattr(error, "strerror", None) or error
        raise ExportError(f"{output}: cannot be written: {reason}") from error
    return target


def _does_not_count(name: str) -> bool:
    """Whether a folder that holds this counts as empty: a killed run's leftover is nobody's."""
    return is_partial(name) or name == _OF_THE_FILE_SYSTEM


@contextmanager
def _new_parents(target: Path) -> Iterator[None]:
    """Create the folders above; in the end, those that are still empty are removed again."""
    missing = [folder for folder in target.parents if not folder.exists()]
    created: list[Path] = []
    try:
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another run was faster
                folder.mkdir()
                created.append(folder)
        yield
    except OSError as error:
        if error.filename is None or Path(error.filename) not in missing:
            raise
        reason = error.strerror or error
        raise ExportError(f"{error.filename}: cannot be created: {reason}") from error
    finally:
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()


def _publish(place: Workplace) -> None:
    for path in place.artifact.iterdir():
        with path.open("r+b") as stream:
            os.fsync(stream.fileno())
    if place.root.parent == place.target:
        _fill(place)
        return
    try:
        os.rename(place.artifact, place.target)
    except OSError as error:
        if not os.path.lexists(place.target):
            raise
        raise _filled_meanwhile(place.target) from error


def _fill(place: Workplace) -> None:
    """Move the files into the folder, the manifest last: until then it is no artifact."""
    names = sorted(os.listdir(place.artifact), key=lambda name: (name == MANIFEST_NAME, name))
    moved: list[Path] = []
    try:
        for name in names:
            path = place.target / name
            path.open("xb").close()  # only one of two runs can, and nothing is written over
            moved.append(path)
            os.replace(place.artifact / name, path)
    except BaseException as error:
        for path in moved:
            path.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise _filled_meanwhile(place.target) from error
        raise


def _filled_meanwhile(target: Path) -> ExportError:
    return ExportError(
        f"{target}: was filled by something else during the export, and is left as it is; "
        "export again to a new folder"
    )
