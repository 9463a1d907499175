"""docs/containers.md without a container engine: its commands in a bare root of Debian's."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.native.conftest import missing
from tests.support.documents import code_blocks
from tests.support.folders import let_others_pass
from tests.support.tree import ROOT
from tools.emulation.debian import unpack_packages
from tools.emulation.errors import EmulationError

pytestmark = [
    pytest.mark.build,
    pytest.mark.skipif(sys.platform != "linux", reason="needs namespaces of Linux"),
]
PAGE = ROOT / "docs" / "containers.md"
HOME = "/opt/edge-rerank"
# What pip would install beside our wheel.
LIBRARIES = ("numpy", "starlette", "uvicorn", "anyio", "idna", "click", "h11", "typing_extensions")
_SCRIPT = '#!/bin/sh\nexec /usr/bin/python3 -m edge_rerank "$@"\n'
# Bound to itself, the root can be made read-only, for this process alone. It has no /proc.
_INSIDE = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd / || exit 99
root=$1 user=$2; shift 2
exec chroot --userspec="$user" "$root" "$@"
"""


def block(language: str) -> str:
    return next(text for found, text in code_blocks(PAGE) if found == language)


def instruction(name: str) -> str:
    """Return the words of the Dockerfile's last line of a kind."""
    return re.findall(rf"^{name} (.+)$", block("dockerfile"), re.MULTILINE)[-1]


def image_environment() -> list[str]:
    """Return what the image sets, for env(1), and where the libraries lie in this root."""
    return ["/usr/bin/env", "-i", instruction("ENV"), f"PYTHONPATH={HOME}/lib"]


@pytest.fixture(scope="module")
def root(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a root with Debian's Python, our wheel and what the server needs."""
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        missing("no mount namespace can be made here")
    folder = tmp_path_factory.mktemp("container") / "root"
    try:
        unpack_packages(
            ["python3", "libstdc++6", "dash", "coreutils"], "amd64", folder, dependencies=True
        )
    except EmulationError as error:
        missing(f"Debian's packages cannot be had here: {error}")
    minor = f"python3.{sys.version_info.minor}"
    if not (folder / "usr" / "bin" / minor).exists():
        pytest.skip(f"Debian's Python here is not {minor}, which numpy lies here for")
    for made in (folder, folder.parent):
        made.chmod(0o755)
    let_others_pass(folder)
    home = folder / HOME.lstrip("/")
    (home / "bin").mkdir(parents=True)
    for name in LIBRARIES:
        copy_distribution(name, home / "lib")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(home / "lib")
    (home / "bin" / "edge-rerank").write_text(_SCRIPT)
    (home / "bin" / "edge-rerank").chmod(0o755)
    (home / "bin" / "python").symlink_to("/usr/bin/python3")
    return folder


def copy_distribution(name: str, into: Path) -> None:
    found = metadata.distribution(name)
    for file in found.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            target = into / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(str(found.locate_file(file))), target)


def inside(root: Path, command: Sequence[str]) -> list[str]:
    """Return a command that runs another in the container's root, as its user."""
    return [
        *("unshare", "--mount", "--propagation", "private", "sh", "-c", _INSIDE, "sh"),
        *(str(root), instruction("USER"), *image_environment(), *command),
    ]


@contextmanager
def running(root: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the image's entry point as process 1 of a namespace; yield it and its port."""
    entry = json.loads(instruction("ENTRYPOINT"))
    entry[entry.index("8080")] = "0"
    command = ["unshare", "--pid", "--fork", "--kill-child", *inside(root, entry)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = process.stderr.readline()
        found = re.search(r"http://[^:\s]+:(\d+)", first)
        assert found, first + process.stderr.read()
        try:
            yield process, int(found[1])
        finally:
            process.kill()


def answer(port: int, **body: Any) -> Any:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/rerank",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as found:
        return json.load(found)


def test_the_image_s_commands_in_a_bare_root(root: Path) -> None:
    health = json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])
    with running(root) as (process, port):
        found = answer(port, query="list files", documents=["rm removes.", "ls prints files."])
        assert [hit["index"] for hit in found["results"]] == [1, 0]
        check = [word.replace(":8080/", f":{port}/") for word in health]
        assert subprocess.run(inside(root, check), check=False).returncode == 0
        outer = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
        status = Path(f"/proc/{outer[0]}/status").read_text("utf-8")
        assert re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE)
        assert re.search(r"^Uid:\t65534\t65534\t", status, re.MULTILINE)
        peak = int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[0])
        assert peak < 200_000  # the page's mem_limit has room for it
        subprocess.run(["kill", f"-{signal.SIGTERM.value}", outer[0]], check=True)
        assert process.wait(20) == 0
    assert subprocess.run(inside(root, check), capture_output=True, check=False).returncode != 0


def test_nothing_can_be_written_there(root: Path) -> None:
    program = "open('/opt/edge-rerank/file', 'w')"
    done = subprocess.run(
        inside(root, ["python", "-c", program]), capture_output=True, text=True, check=False
    )
    assert "Read-only file system" in done.stderr


def test_the_compose_file_is_of_the_same_image() -> None:
    yaml = pytest.importorskip("yaml")
    service = yaml.safe_load(block("yaml"))["services"]["reranker"]
    assert service["user"] == instruction("USER")
    assert service["read_only"] is True
    assert service["ports"][0].endswith(f":{instruction('EXPOSE')}")
    assert {"cpus", "mem_limit", "pids_limit", "stop_grace_period"} <= set(service)
