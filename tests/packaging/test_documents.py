"""README and docs as a stranger follows them: from top to bottom, in one folder, a clone."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.support.checkpoints import write_tiny_checkpoint
from tests.support.documents import code_blocks, shell_lines, write_inputs
from tests.support.environments import shared_packages
from tests.support.tree import ROOT, copy_tree

pytestmark = pytest.mark.build
# A server runs until it is stopped; its clients, and frameworks, are Python of many packages.
# By tests/server/test_docs.py and those of tests/integrations:
_RUN_ELSEWHERE = ("server.md", "frameworks.md", "clusters.md")
_GUIDES = (path.name for path in sorted((ROOT / "docs").glob("*.md")))
FOLLOWED = ("README.md", *(f"docs/{name}" for name in _GUIDES if name not in _RUN_ELSEWHERE))
# Need the hub, an index, or a compiler of another test; or they are the tests themselves. What is
# said of kits is done in test_bundle.py, what is said of PyInstaller in test_frozen.py.
_KITS = ("edge-rerank bundle", "tar -xf kit.tar", "edge-rerank-kit/install", "./reranker/bin/")
_WHEELS = "native.wheels"  # of another platform, as tests/native builds them
_LEFT_OUT = (
    *("mixedbread-ai/", "pip install", "pip wheel", "-m pytest"),
    *("pyinstaller", "rustc", _WHEELS, *_KITS),
)
_IS_NATIVE = """
from edge_rerank import Reranker
with Reranker.load() as reranker:
    print(reranker.describe().engine)
"""


class Reader:
    """Follows a document in a clone, with the clone's ``.venv``, and no package index."""

    def __init__(self, clone: Path, build_tools: Path, *, editable: bool) -> None:
        self.clone, self.editable = clone, editable
        # The documents' own venv command finds it made, with the libraries that pip would fetch.
        venv.create(clone / ".venv", with_pip=True)
        packages = sysconfig.get_path("purelib", vars={"base": str(clone / ".venv")})
        Path(packages, "shared.pth").write_text("\n".join(shared_packages()), "utf-8")
        self.variables = {
            **{k: v for k, v in os.environ.items() if not k.startswith("PYTHON")},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(build_tools),
            **{"PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0"},
        }

    def activate(self) -> None:
        """Let commands be those of the clone's environment."""
        path = self.variables["PATH"]
        self.variables["PATH"] = os.pathsep.join([str(self.clone / ".venv" / "bin"), path])

    def run(self, *command: str, given: str = "", folder: Path | None = None) -> str:
        """Run a command that must succeed; returns what it writes."""
        done = subprocess.run(
            command, cwd=folder or self.clone, env=self.variables, input=given,
            capture_output=True, text=True, check=False, timeout=900,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def shell(self, line: str) -> str:
        """Run one line of a document; an output that is there already makes way."""
        words = line.partition("#")[0].split()
        if words[:2] == ["edge-rerank", "tune"]:
            # Whether a tiny model gains beyond its interval is chance. Verdicts are tested in
            # tests/tuning; here, the command has to reach one, and a model.
            line = f"{line} --allow-not-better"
        if "--output" in words:
            output = self.clone / words[words.index("--output") + 1]
            if output.is_dir():
                shutil.rmtree(output)
        return self.run("bash", "-c", line)


@pytest.fixture(scope="module")
def build_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of links to setuptools and the compiler, whatever the environment has."""
    folder = tmp_path_factory.mktemp("build-tools")
    for packages in reversed(shared_packages()):
        for pattern in ("setuptools*", "_distutils_hack", "ziglang*"):
            for path in Path(packages).glob(pattern):
                (folder / path.name).unlink(missing_ok=True)
                (folder / path.name).symlink_to(path)
    return folder


@pytest.fixture(scope="module", params=["normal", "editable"])
def reader(
    request: pytest.FixtureRequest, build_tools: Path, tmp_path_factory: pytest.TempPathFactory
) -> Reader:
    """Install as the README says, by its first command or by its second."""
    clone = copy_tree(tmp_path_factory.mktemp(request.param) / "clone")
    blocks = [text for language, text in code_blocks(clone / "README.md") if language == "sh"]
    first, second = (shell_lines(block)[0] for block in blocks[:2])
    reader = Reader(clone, build_tools, editable=request.param == "editable")
    if not reader.editable:
        assert "ls -S" in reader.shell(first).splitlines()[-3]
    else:
        assert " && .venv/bin/python -m pytest" in second
        reader.shell(second.replace(" && .venv/bin/python -m pytest", ""))
    reader.activate()
    write_inputs(clone)
    shutil.copytree(clone / "quantized" / "mini", clone / "mxbai-xsmall")
    return reader


def test_the_five_lines_run_in_the_clone(reader: Reader, tmp_path: Path) -> None:
    python = [text for language, text in code_blocks(reader.clone / "README.md") if
              language == "python"]  # fmt: skip
    assert python
    for number, text in enumerate([*python, _IS_NATIVE]):
        script = reader.clone / f"example-{number}.py"
        script.write_text(text, "utf-8")
        ways = (
            reader.run("python", "-c", text),
            reader.run("python", script.name),
            reader.run("python", given=text),
            reader.run("python", str(script), folder=tmp_path),
            reader.run("python", "-c", text, folder=tmp_path),
        )
        assert len(set(ways)) == 1
        assert ways[0] == "native\n" if text is _IS_NATIVE else ways[0]


@pytest.mark.parametrize("name", FOLLOWED)
def test_blocks_run_from_top_to_bottom(reader: Reader, name: str) -> None:
    pytest.importorskip("torch")
    if name != "README.md" and reader.editable:
        pytest.skip("one way is enough for the guides")
    prepare_models(reader)
    for language, text in code_blocks(reader.clone / name):
        if language == "python":
            run_python(reader, text)
        for line in shell_lines(text) if language == "sh" else ():
            other = "--kernel avx2" in line and platform.machine() not in ("x86_64", "AMD64")
            if not other and not any(words in line for words in _LEFT_OUT):
                reader.shell(line)


def prepare_models(reader: Reader) -> None:
    """Export what the documents call my-model and my-model-fp32."""
    if not (reader.clone / "my-checkpoint").exists():
        write_tiny_checkpoint(reader.clone / "my-checkpoint")
        export = "edge-rerank export ./my-checkpoint --output"
        reader.shell(f"{export} my-model")
        reader.shell(f"{export} my-model-fp32 --precision fp32")


def run_python(reader: Reader, text: str) -> None:
    """Run a block; one with tests is run by pytest."""
    if "def test_" in text:
        (reader.clone / "tests" / "test_example.py").write_text(text, "utf-8")
        assert "1 passed" in reader.run("python", "-m", "pytest", "-q", "tests/test_example.py")
    else:
        reader.run("python", "-c", text)


def test_every_block_names_its_language() -> None:
    for path in (ROOT / "docs").rglob("*.md"):
        fences = [line for line in path.read_text("utf-8").splitlines() if line.startswith("```")]
        assert all(line != "```" for line in fences[::2]), path.name
