"""Advice on extras: from where the package was installed, and never by a name on an index."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from edge_rerank import installation
from edge_rerank.installation import install_command
from tests.support.tree import ROOT, tree_files

REQUIRES = """\
Requires-Dist: numpy>=1.26
Requires-Dist: onnx>=1.17; extra == "export"
Requires-Dist: torch<2.14,>=2.4; python_version > "3" and extra == "export"
Requires-Dist: optimum[onnxruntime]<3,>=2.0; extra == "export"
Requires-Dist: edge-rerank[export]; extra == "training"
Requires-Dist: bm25s>=0.2; extra == "training"
"""


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the package lie in a site-packages of its own; return its metadata folder."""
    packages = tmp_path / "site-packages"
    metadata = packages / "edge_rerank-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    head = "Metadata-Version: 2.4\nName: edge-rerank\nVersion: 0.1.0\n"
    (metadata / "METADATA").write_text(head + REQUIRES, "utf-8")
    monkeypatch.setattr("sys.path", [str(packages)])
    monkeypatch.setattr(installation, "__file__", str(packages / "edge_rerank/installation.py"))
    return metadata


def record(metadata: Path, **origin: object) -> None:
    (metadata / "direct_url.json").write_text(json.dumps(origin), "utf-8")


def words(extra: str = "export") -> list[str]:
    command = shlex.split(install_command(extra))
    assert command[:4] == ["python", "-m", "pip", "install"]
    return command[4:]


def test_from_the_folder_it_was_installed_from(elsewhere: Path, tmp_path: Path) -> None:
    clone = tmp_path / "my clone"
    clone.mkdir()
    record(elsewhere, url=clone.as_uri(), dir_info={})
    assert words() == [f"{clone}[export]"]
    record(elsewhere, url=clone.as_uri(), dir_info={"editable": True})
    assert words() == ["-e", f"{clone}[export]"]


def test_from_the_wheel_it_was_installed_from(elsewhere: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "edge_rerank-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"")
    record(elsewhere, url=wheel.as_uri(), archive_info={})
    assert words() == [f"{wheel}[export]"]
    url = "https://example.org/edge_rerank-0.1.0-py3-none-any.whl"
    record(elsewhere, url=url, archive_info={})
    assert words() == [f"edge-rerank[export] @ {url}"]


def test_from_the_commit_it_was_installed_from(elsewhere: Path) -> None:
    url = "https://example.org/edge-rerank.git"
    record(elsewhere, url=url, vcs_info={"vcs": "git", "commit_id": "0a1b"})
    assert words() == [f"edge-rerank[export] @ git+{url}@0a1b"]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"url": 3}', '{"url": "file:///gone"}'])
def test_otherwise_the_libraries_are_named(elsewhere: Path, text: str | None) -> None:
    if text is not None:
        (elsewhere / "direct_url.json").write_text(text, "utf-8")
    export = ["onnx>=1.17", "optimum[onnxruntime]<3,>=2.0", "torch<2.14,>=2.4"]
    assert words() == export
    assert words("training") == ["bm25s>=0.2", *export]


def test_without_metadata_it_is_a_clone_that_is_meant(
    monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr("sys.path", [])
    assert install_command("export").startswith("python -m pip install '.[export]' in a clone")
    monkeypatch.setattr(installation, "__file__", str(ROOT / "edge_rerank/installation.py"))
    assert words() == [f"{ROOT}[export]"]


def test_nothing_advises_a_name_on_an_index() -> None:
    advice = re.compile(r"pip install[^\n]*['\" ]edge-rerank")
    for name in tree_files():
        if name.endswith((".py", ".md")) and not name.startswith(("tests/", "CHANGELOG")):
            found = advice.search((ROOT / name).read_text("utf-8"))
            assert found is None or "--no-index" in found[0], f"{name}: {found}"
