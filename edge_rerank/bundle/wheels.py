"""The wheels of a kit: our own, given or packed from this installation, and what it needs."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath

from edge_rerank.bundle.platforms import PLATFORMS
from edge_rerank.errors import EdgeRerankError, InputError

_NAME = "edge-rerank"
_BUILD = "python -m native.wheels --target {} --output DIR, in a clone"
# Written by the installer, and true of that installation alone.
_INSTALLERS = frozenset({"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"})
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment that a ZIP can name
_SHOWN = 2000


def check_wheel(path: Path, platform: str) -> None:
    """Raise InputError where ``path`` is no wheel of edge-rerank for ``platform``."""
    parts = path.name.removesuffix(".whl").split("-")
    if path.suffix != ".whl" or len(parts) != 5 or parts[0] != _NAME.replace("-", "_"):
        raise InputError(f"{path} is not a wheel of {_NAME}; build one: {_BUILD.format(platform)}")
    tags = {*PLATFORMS[platform], "any"}
    if not tags & set(parts[4].split(".")):
        raise InputError(
            f"{path.name} is for {parts[4]}, the kit for {platform}; build the wheel for it: "
            f"{_BUILD.format(platform)}"
        )


def pack_own_wheel(folder: Path, platform: str) -> Path:
    """Pack this installation into a wheel in ``folder``; returns its path.

    Raises InputError where it is for another platform, or editable.
    """
    found = metadata.distribution(_NAME)
    text = found.read_text("WHEEL") or ""
    tags = re.findall(r"^Tag: (\S+)$", text, re.MULTILINE)
    files = [file for file in found.files or () if _belongs(PurePosixPath(file))]
    root = Path(str(found.locate_file("")))
    if "edge_rerank/__init__.py" not in {file.as_posix() for file in files} or not tags:
        raise InputError(
            f"this is an editable installation, which has no wheel; build one "
            f"({_BUILD.format(platform)}) and name it"
        )
    python, abi, _ = tags[0].split("-")
    platforms = ".".join(tag.split("-")[2] for tag in tags)
    path = folder / f"{_NAME.replace('-', '_')}-{found.version}-{python}-{abi}-{platforms}.whl"
    check_wheel(path, platform)
    _pack(path, root, sorted(file.as_posix() for file in files))
    return path


def _belongs(file: PurePosixPath) -> bool:
    """Whether the wheel held the file: no compiled module, no script, nothing of the installer."""
    if file.is_absolute() or ".." in file.parts or "__pycache__" in file.parts:
        return False
    return not (file.parts[0].endswith(".dist-info") and file.name in _INSTALLERS)


def _pack(path: Path, root: Path, names: Sequence[str]) -> None:
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    info = next(name for name in names if name.endswith(".dist-info/METADATA")).split("/")[0]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            content = (root / name).read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
            rows.writerow((name, f"sha256={digest.decode()}", len(content)))
            _add(archive, name, content)
        rows.writerow((f"{info}/RECORD", "", ""))
        _add(archive, f"{info}/RECORD", record.getvalue().encode())


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    member = zipfile.ZipInfo(name, _EARLIEST)
    member.external_attr = 0o100644 << 16
    archive.writestr(member, content, zipfile.ZIP_DEFLATED)


def download(
    requirements: Sequence[str],
    folder: Path,
    platform: str,
    python: str,
    *,
    sources: Sequence[str],
    with_needs: bool = True,
) -> None:
    """Fetch wheels for a platform and a Python into ``folder``, by pip.

    Args:
        requirements: What to fetch, as pip takes them.
        folder: Where the wheels go.
        platform: One of :data:`PLATFORMS`.
        python: The Python that they are for, as ``3.11``.
        sources: Options of pip that say where from: an index, a folder.
        with_needs: Whether what these need is fetched too.

    Raises EdgeRerankError with pip's words where that fails.
    """
    digits = python.replace(".", "")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--only-binary", ":all:", "--dest", str(folder), "--python-version", python]
    command += ["--implementation", "cp", "--abi", f"cp{digits}", "--abi", "abi3", "--abi", "none"]
    command += [word for tag in PLATFORMS[platform] for word in ("--platform", tag)]
    command += [] if with_needs else ["--no-deps"]
    done = subprocess.run(
        [*command, *sources, *requirements],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode != 0:
        raise EdgeRerankError(
            f"pip could not fetch {', '.join(map(_short, requirements))} for {platform}, Python "
            f"{python}:\n{done.stderr.strip()[-_SHOWN:]}"
        )


def _short(requirement: str) -> str:
    return requirement.replace("\\", "/").rpartition("/")[2]
