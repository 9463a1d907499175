"""The kit: a tar archive with wheels, a model, checksums, a bill of materials and an installer."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.artifact.folder import load_artifact
from edge_rerank.bundle.bill import Component, bill_of_materials
from edge_rerank.bundle.platforms import check_platform, check_python
from edge_rerank.bundle.wheels import check_wheel, download, pack_own_wheel
from edge_rerank.errors import EdgeRerankError
from edge_rerank.files import whole_file

_FOLDER = "edge-rerank-kit"
_SUMS = "SHA256SUMS"
_INSTALLER = Path(__file__).with_name("install.py")
_NAMESPACE = "edge-rerank-kit"  # of the signature: what the key vouches for
_README = """\
edge-rerank {version} for {platform}, Python {python}

    python{python} install DIR

installs it into a new environment in the folder DIR, without a network, and proves that the scores
hold on this machine; the exit code is 0 where they do. Nothing outside DIR is written.

    DIR/bin/edge-rerank rank "a query" "a passage" "another"
"""


@dataclass(frozen=True, slots=True)
class Kit:
    """What was made."""

    path: Path
    wheels: tuple[str, ...]
    """Names of the wheels."""
    model: str | None
    """Name of the model inside, beside the built-in one."""
    size: int
    """Bytes of the archive."""


def make_kit(
    output: Path,
    *,
    platform: str,
    python: str,
    model: Path | None = None,
    wheel: Path | None = None,
    numpy_alone: bool = False,
    sources: Sequence[str] = (),
    key: Path | None = None,
) -> Kit:
    """Make a kit; the file appears whole or not at all.

    Args:
        output: The archive, ``.tar``.
        platform: One of :data:`edge_rerank.bundle.PLATFORMS`.
        python: The version of Python on the other machine, as ``3.11``.
        model: A model folder to take along.
        wheel: Our own wheel for that platform; None packs this installation.
        numpy_alone: Leave out onnxruntime and tokenizers, which the native engine does without.
        sources: Options of pip that say where the wheels come from.
        key: A private key of SSH; the checksums are signed with it by ``ssh-keygen``.

    Raises InputError for what cannot be, ArtifactError for a model that is not whole,
    EdgeRerankError where pip or ssh-keygen fails, OSError where the file cannot be written.
    """
    check_platform(platform)
    check_python(python)
    if wheel is not None:
        check_wheel(wheel, platform)
    if model is not None:
        load_artifact(model)  # all its checksums hold
    with tempfile.TemporaryDirectory(prefix="edge-rerank-kit-") as scratch:
        kit = Path(scratch, _FOLDER)
        wheels = kit / "wheels"
        wheels.mkdir(parents=True)
        own = pack_own_wheel(wheels, platform) if wheel is None else wheels / wheel.name
        if wheel is not None:
            shutil.copyfile(wheel, own)
        needs = ["numpy"] if numpy_alone else _requirements(own)
        download(needs, wheels, platform, python, sources=sources)
        download(["pip"], wheels, platform, python, sources=sources, with_needs=False)
        if model is not None:
            shutil.copytree(model, kit / "model")
        names = tuple(sorted(path.name for path in wheels.iterdir()))
        _describe(kit, own, platform, python, names)
        _seal(kit, key)
        with whole_file(output) as stream:
            _pack(kit, stream)
        return Kit(output, names, None if model is None else model.name, output.stat().st_size)


def _requirements(wheel: Path) -> list[str]:
    """Return what the wheel needs, without its extras."""
    from email.parser import BytesParser

    with zipfile.ZipFile(wheel) as archive:
        name = next(n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        found = BytesParser().parsebytes(archive.read(name))
    needs = found.get_all("Requires-Dist") or []
    return [need for need in needs if ";" not in need]


def _describe(kit: Path, own: Path, platform: str, python: str, names: Sequence[str]) -> None:
    version = own.name.split("-")[1]
    words = {"version": version, "platform": platform, "python": python}
    (kit / "README.txt").write_text(_README.format(**words), "utf-8")
    shutil.copyfile(_INSTALLER, kit / "install")
    (kit / "kit.json").write_text(json.dumps(words, indent=1) + "\n", "utf-8")
    itself: Component = {"type": "application", "name": _FOLDER, "version": version}
    parts = [_component(kit / "wheels" / name) for name in names]
    (kit / "sbom.cdx.json").write_bytes(bill_of_materials(itself, parts))


def _component(wheel: Path) -> Component:
    name, version = wheel.name.split("-")[:2]
    return {
        "type": "library",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name.lower().replace('_', '-')}@{version}",
        "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(wheel.read_bytes()).hexdigest()}],
    }


def _seal(kit: Path, key: Path | None) -> None:
    """Write down the checksums of all files, in sha256sum's format, and sign them."""
    lines = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(kit).as_posix()}\n"
        for path in sorted(kit.rglob("*"))
        if path.is_file()
    ]
    (kit / _SUMS).write_text("".join(lines), "utf-8")
    if key is None:
        return
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", _NAMESPACE, str(kit / _SUMS)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise EdgeRerankError("signing needs ssh-keygen, of OpenSSH, on the PATH") from None
    if done.returncode != 0:
        raise EdgeRerankError(f"ssh-keygen could not sign with {key}: {done.stderr.strip()}")


def _pack(kit: Path, stream: Any) -> None:
    """Write the archive; owners, times and order say nothing about the machine it was made on."""
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in sorted(kit.rglob("*")):
            if path.is_dir():
                continue
            content = path.read_bytes()
            member = tarfile.TarInfo(f"{_FOLDER}/{path.relative_to(kit).as_posix()}")
            member.size = len(content)
            member.mode = 0o755 if path.name == "install" else 0o644
            archive.addfile(member, io.BytesIO(content))
