"""A kit, made by a normal installation, and installed without a network and without a HOME."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from edge_rerank.artifact.builtin import builtin_model
from tests.native.conftest import missing
from tests.packaging.conftest import Install

pytestmark = pytest.mark.build


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a new SSH key."""
    if shutil.which("ssh-keygen") is None:
        missing("ssh-keygen is not installed")
    path = tmp_path_factory.mktemp("key") / "key"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "maker", "-f", str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.fixture(scope="module")
def kit(install: Install, key: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a kit with numpy alone and a model, signed, and unpack it; return its folder."""
    folder = tmp_path_factory.mktemp("kit")
    options = ["--model", str(builtin_model()), "--numpy-alone", "--sign", str(key)]
    words = ("bundle", "--output", "kit.tar", *options)
    done = install("wheel").run("edge-rerank", *words, folder=folder)
    if "No matching distribution" in done.stderr:
        missing("no package index is reachable")
    assert done.returncode == 0, done.stderr
    with tarfile.open(folder / "kit.tar") as archive:
        members = archive.getmembers()
        archive.extractall(folder, filter="data")
    assert all((one.uid, one.mtime, one.uname) == (0, 0, "") for one in members)
    return folder / "edge-rerank-kit"


def run_installer(kit: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the installer with this Python, no variable set, and no network."""
    alone = ["unshare", "--net"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        missing("no network namespace can be made here")
    return subprocess.run(
        [*alone, sys.executable, "-I", str(kit / "install"), str(folder)],
        cwd="/", env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_it_installs_without_a_network_and_verifies(kit: Path, tmp_path: Path) -> None:
    done = run_installer(kit, tmp_path / "here")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds: " in done.stdout
    command = tmp_path / "here" / "bin" / "edge-rerank"
    model = tmp_path / "here" / "model"
    assert f"installed: {command} rank --model {model}" in done.stdout
    ranked = subprocess.run(
        [command, "rank", "--model", model, "list files", "rm removes.", "ls prints files."],
        cwd=tmp_path, env={}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ranked.returncode == 0, ranked.stderr
    assert "1" in ranked.stdout


UNFINISHED = "edge-rerank-unfinished.txt"
# What is there when an installation is killed, in the order in which it comes.
POINTS = (UNFINISHED, "bin/python", "lib/*/site-packages/numpy", "model/tokenizer.json")
COMMAND = "bin/edge-rerank"


def install_until(kit: Path, folder: Path, point: str) -> subprocess.Popen[bytes]:
    """Start an installation, a group of its own; return it when ``point`` has appeared anew."""

    def seen() -> set[int]:  # the time of a change tells a file from one of an earlier run
        try:
            found = [path.lstat() for path in folder.glob(point)]
        except FileNotFoundError:  # what an earlier run left is being removed
            return set()
        return {facts.st_ctime_ns for facts in found if facts.st_size}  # it has been written

    before = seen() if point != UNFINISHED else set()
    process = subprocess.Popen(
        [sys.executable, "-I", str(kit / "install"), str(folder)],
        cwd="/", env={}, start_new_session=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 300
    while not seen() - before:
        assert process.poll() is None, f"it ended before {point} was there"
        assert time.monotonic() < end
        time.sleep(0.002)
    return process


def test_an_installation_that_is_killed_is_begun_anew(kit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    for point in POINTS:
        process = install_until(kit, folder, point)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert (folder / UNFINISHED).read_text().startswith("This installation has not")
        assert not (folder / COMMAND).exists(), point
    (folder / "letter.txt").touch()
    kept = run_installer(kit, folder)
    assert (kept.returncode, "letter.txt is not of its making" in kept.stderr) == (2, True)
    (folder / "letter.txt").unlink()
    done = run_installer(kit, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "holds: " in done.stdout
    assert not (folder / UNFINISHED).exists()
    assert "name a new folder" in run_installer(kit, folder).stderr  # a whole one stays as it is


def test_no_installation_begins_beside_what_another_left_running(kit: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    process = install_until(kit, folder, "lib/*/site-packages/numpy")
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii")
    pip = int(children)
    os.kill(pip, signal.SIGSTOP)  # it is not done before the next one begins
    process.kill()
    process.wait()
    try:
        again = run_installer(kit, folder)
    finally:
        os.kill(pip, signal.SIGCONT)  # and goes on alone
    assert again.returncode == 2
    assert "another installation into" in again.stderr
    end = time.monotonic() + 300
    while run_installer(kit, folder).returncode == 2:
        assert time.monotonic() < end
    assert (folder / COMMAND).exists()


def test_our_wheel_is_what_was_installed(kit: Path, wheel: Path) -> None:
    (packed,) = (kit / "wheels").glob("edge_rerank-*.whl")
    assert packed.name == wheel.name
    with zipfile.ZipFile(packed) as archive, zipfile.ZipFile(wheel) as built:
        record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
        assert set(archive.namelist()) == set(built.namelist())
        for name in set(built.namelist()) - {record}:
            assert archive.read(name) == built.read(name), name


def test_the_checksums_hold_and_are_signed(kit: Path, key: Path, tmp_path: Path) -> None:
    named = {}
    for line in (kit / "SHA256SUMS").read_text().splitlines():
        digest, _, name = line.partition("  ")
        named[name] = digest
    files = {path.relative_to(kit).as_posix() for path in kit.rglob("*") if path.is_file()}
    assert set(named) == files - {"SHA256SUMS", "SHA256SUMS.sig"}
    assert {"install", "sbom.cdx.json", "model/manifest.json"} <= set(named)
    for name, digest in named.items():
        assert hashlib.sha256((kit / name).read_bytes()).hexdigest() == digest
    signers = tmp_path / "signers"
    signers.write_text(f"maker {key.with_suffix('.pub').read_text()}")
    check = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "maker"]
    check += ["-n", "edge-rerank-kit", "-s", str(kit / "SHA256SUMS.sig")]
    with (kit / "SHA256SUMS").open() as stream:
        done = subprocess.run(check, stdin=stream, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_bill_names_every_wheel(kit: Path) -> None:
    bill = json.loads((kit / "sbom.cdx.json").read_text("utf-8"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    wheels = {hashlib.sha256(path.read_bytes()).hexdigest() for path in kit.glob("wheels/*.whl")}
    assert {part["hashes"][0]["content"] for part in bill["components"]} == wheels
    parts = {part["bom-ref"] for part in bill["components"]}
    assert {"edge_rerank", "numpy", "pip"} <= parts
    assert bill["dependencies"][0] == {"ref": "edge-rerank-kit", "dependsOn": sorted(parts)}
    assert bill["serialNumber"].startswith("urn:uuid:")


def test_what_does_not_fit_is_refused(kit: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "kit"
    shutil.copytree(kit, spoilt)
    (spoilt / "model" / "config.json").write_text("{}")
    done = run_installer(spoilt, tmp_path / "here")
    assert done.returncode == 2
    assert "model/config.json has another SHA-256" in done.stderr
    assert not (tmp_path / "here").exists()
    text = (kit / "kit.json").read_text()
    (spoilt / "kit.json").write_text(text.replace('"python": "3.', '"python": "3.9'))
    assert "the kit is for Python 3.9" in run_installer(spoilt, tmp_path / "here").stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    taken = run_installer(kit, tmp_path / "full")
    assert (taken.returncode, "name a new folder" in taken.stderr) == (2, True)
