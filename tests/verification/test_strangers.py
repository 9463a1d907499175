"""verify where a stranger runs it: other homes, unreadable files, missing libraries, and JSON."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest

from edge_rerank.artifact.builtin import builtin_model

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="modes and capabilities of Linux")
NAMES = ["model.safetensors", "model.onnx", "tokenizer.json", "config.json", "probes.json"]


def refuse(text: str) -> NoReturn:
    raise AssertionError(f"{text} is not JSON")


def run(*arguments: object, **environment: str | None) -> tuple[int, str, str]:
    """Run the command as a user who may read only what modes allow, root or not."""
    prefix = []
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may read everything, and there is no setpriv to give that up")
        powers = "-dac_override,-dac_read_search"
        prefix = ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"]
    values = {**os.environ, **environment}
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "edge_rerank", *map(str, arguments)],
        env={name: value for name, value in values.items() if value is not None},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def facts(out: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(out, parse_constant=refuse)
    return value


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_without_a_home_or_with_one_that_is_read_only(tmp_path: Path, engine: str) -> None:
    locked = tmp_path / "home"
    locked.mkdir(mode=0o500)
    for home in (None, str(locked), "/nowhere"):
        code, out, err = run("verify", "--json", "--engine", engine, HOME=home, TMPDIR=str(locked))
        assert (code, err) == (0, "")
        assert facts(out)["holds"] is True
    assert not list(locked.iterdir())


@pytest.mark.parametrize("name", ["manifest.json", *NAMES])
@pytest.mark.parametrize("more", [[], ["--skip-checksums", "--engine", "onnxruntime"]])
def test_unreadable_files_are_named(tmp_path: Path, name: str, more: list[str]) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "model"))
    (folder / name).chmod(0)
    code, out, err = run("verify", folder, "--json", *more)
    assert code == 1
    assert f"{name}: " in err
    assert "ermission denied" in err
    assert "Errno" not in err
    found = facts(out)
    assert found["holds"] is False
    assert name in found["error"]["message"]


def test_an_unreadable_folder_is_named(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "closed" / "model"))
    for place, mode in ((folder, 0o600), (folder.parent, 0)):
        place.chmod(mode)
        code, out, err = run("verify", folder, "--json")
        place.chmod(0o700)
        assert code == 1
        assert "Permission denied" in err
        assert facts(out)["error"]["type"] == "ArtifactNotFoundError"


def test_a_missing_extra_is_named_before_anything_is_computed(tmp_path: Path) -> None:
    (tmp_path / "scipy.py").write_text("raise ImportError('not here')\n")
    path = os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    code, out, err = run("verify", "--collection", tmp_path, PYTHONPATH=path.rstrip(os.pathsep))
    assert code == 1
    assert out == ""
    assert "needs scipy" in err
    assert "evaluation" in err
    assert "pip install" in err


def test_exit_codes_and_json_of_what_does_not_hold(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "model"))
    with (folder / "tokenizer.json").open("r+b") as stream:
        stream.seek(1000)
        stream.write(b"?")
    code, out, _ = run("verify", folder, "--json")
    assert code == 1
    assert facts(out)["holds"] is False
    assert facts(out)["engine"] is None
    code, out, err = run("verify", folder, "--json", "--threads", "0")
    assert (code, out) == (2, "")
    assert "--threads" in err
    code, out, err = run("verify", tmp_path / "nowhere", "--json")
    assert code == 1
    assert facts(out)["error"]["type"] == "ArtifactNotFoundError"


def test_an_artifact_without_a_checksum_of_its_manifest(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(builtin_model(), tmp_path / "model"))
    value = json.loads((folder / "manifest.json").read_bytes())
    del value["sha256"]
    (folder / "manifest.json").write_text(json.dumps(value))
    code, out, _ = run("verify", folder)
    assert code == 0
    assert "has no checksum of itself" in out
