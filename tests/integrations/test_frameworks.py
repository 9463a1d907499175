"""The adapters with the frameworks that they are for: each is built, installed and tested.

Each adapter's own tests run in an environment that has the framework from the package index, with
the wheel of edge-rerank and the distribution that pip makes of the adapter's folder: this folder
is not on the path.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.server.running import serving
from tests.support.clients import environment, run
from tests.support.documents import code_blocks
from tests.support.tree import ROOT

pytestmark = pytest.mark.slow
FOLDER = ROOT / "integrations"
PAGE = ROOT / "docs" / "frameworks.md"


@dataclass(frozen=True, slots=True)
class Framework:
    """An adapter, what its environment needs, and what its four lines find and are asked for."""

    section: str
    adapter: str | None
    requirements: tuple[str, ...]
    before: str
    after: str


_TEXTS = """
documents = texts = ["Steel bridges rust.", "Plants make sugar of light.", "Rivers flow."]
query = "how do plants eat?"
"""
_ORDER = """
import sys
import edge_rerank
from edge_rerank import Reranker
assert edge_rerank.__file__.startswith(sys.argv[1]), edge_rerank.__file__
expected = [hit.index for hit in Reranker.load().rank(query, texts)][:len(found)]
assert found and found == expected, (found, expected)
print("ranked")
"""
_OTHER_RERANKERS = """
from rerankers import Document
named = [Document(text=text, doc_id=f"d{n}", metadata={"n": n}) for n, text in enumerate(texts)]
again = ranker.rank(query, named)
assert [f"d{n}" for n in found] == [one.doc_id for one in again]
assert [one.score for one in again] == [one.score for one in best]
assert again.top_k(1)[0].score == ranker.score(query, again[0].text) == max(
    one.score for one in best
)
assert ranker.rank(query, []).results == []
assert found[0] == ranker.rank(query, texts, doc_ids=[5, 6, 7])[0].doc_id - 5
"""
FRAMEWORKS = (
    Framework(
        "LangChain", "langchain-edge-rerank", ("langchain-core<2", "langchain-classic<2"),
        "from langchain_core.documents import Document\n"
        "documents = [Document(page_content=text, metadata={'n': n})"
        " for n, text in enumerate(texts)]\n",
        "found = [document.metadata['n'] for document in best]\n",
    ),
    Framework(
        "LlamaIndex", "llama-index-postprocessor-edge-rerank", ("llama-index-core<0.15",),
        "from llama_index.core.schema import NodeWithScore, TextNode\n"
        "nodes = [NodeWithScore(node=TextNode(text=text, id_=str(n)))"
        " for n, text in enumerate(texts)]\n",
        "found = [int(node.node.node_id) for node in best]\n",
    ),
    Framework(
        "Haystack", "edge-rerank-haystack", ("haystack-ai<4",),
        "from haystack import Document\n"
        "documents = [Document(content=text, id=str(n)) for n, text in enumerate(texts)]\n",
        "found = [int(document.id) for document in best]\n",
    ),
    Framework(
        "sentence-transformers", None, (), "",
        "found = [one['corpus_id'] for one in best]\n",
    ),
)  # fmt: skip
ADAPTERS = [one for one in FRAMEWORKS if one.adapter is not None]


def named(frameworks: list[Framework] | tuple[Framework, ...]) -> list[str]:
    return [one.section for one in frameworks]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """Return a folder with edge-rerank and all adapters, as pip installs them."""
    folder, sources = tmp_path_factory.mktemp("adapters"), tmp_path_factory.mktemp("sources")
    names = [one.adapter for one in ADAPTERS if one.adapter is not None]
    # Copies, as pip builds in place.
    for source in [wheel, *(shutil.copytree(FOLDER / name, sources / name) for name in names)]:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps",
             "--no-build-isolation", "--target", str(folder), str(source)],
            capture_output=True, text=True, check=False, env={**os.environ, "PIP_NO_INDEX": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("framework", ADAPTERS, ids=named(ADAPTERS))
def test_the_adapter_s_own_tests_pass(installed: Path, framework: Framework) -> None:
    assert framework.adapter is not None
    python = environment(*framework.requirements, borrow=True)
    program = (
        "import sys, pytest\n"
        "sys.exit(pytest.main([sys.argv[1], '-q', '-p', 'no:cacheprovider',"
        " '--import-mode=importlib', '--rootdir', sys.argv[1]]))"
    )
    tests = str(FOLDER / framework.adapter / "tests")
    said = run(python, program, tests, PYTHONPATH=str(installed))
    assert " passed" in said.splitlines()[-1]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=named(FRAMEWORKS))
def test_the_page_s_four_lines(installed: Path, framework: Framework) -> None:
    page = PAGE.read_text("utf-8").partition(f"\n## {framework.section}\n")[2]
    (block, *_) = [text for language, text in blocks(page) if language == "python"]
    assert len([line for line in block.splitlines() if line.strip()]) <= 4
    python = Path(sys.executable)
    if framework.requirements:
        python = environment(*framework.requirements, borrow=True)
    program = _TEXTS + framework.before + block + framework.after + _ORDER
    said = run(python, program, str(installed), PYTHONPATH=str(installed), folder=str(installed))
    assert said.splitlines()[-1] == "ranked"


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a section."""
    section = page.partition("\n## ")[0]
    return [(language, text) for language, text in code_blocks(PAGE) if text in section]


def test_the_lines_of_rerankers(installed: Path) -> None:
    python = environment("rerankers==0.10.0", "requests", borrow=True)
    page = PAGE.read_text("utf-8").partition("\n## rerankers\n")[2]
    (_, here), (_, block) = blocks(page)
    after = "found = [one.document.doc_id for one in best.results]\n"
    program = _TEXTS + here + after + _OTHER_RERANKERS + _ORDER
    said = run(python, program, str(installed), PYTHONPATH=str(installed), folder=str(installed))
    assert said.splitlines()[-1] == "ranked"
    with serving() as server:
        lines = block.replace("http://localhost:8080", server.address)
        program = _TEXTS + lines + after + _ORDER
        said = run(
            python, program, str(installed), PYTHONPATH=str(installed), folder=str(installed)
        )
    assert said.splitlines()[-1] == "ranked"


@pytest.mark.parametrize("framework", ADAPTERS, ids=named(ADAPTERS))
def test_the_readme_has_the_page_s_lines(framework: Framework) -> None:
    assert framework.adapter is not None
    page = PAGE.read_text("utf-8").partition(f"\n## {framework.section}\n")[2]
    (block, *_) = [text for language, text in blocks(page) if language == "python"]
    (_, lines), *_ = code_blocks(FOLDER / framework.adapter / "README.md")
    assert lines == block
    project = (FOLDER / framework.adapter / "pyproject.toml").read_text("utf-8")
    assert f'name = "{framework.adapter}"\n' in project
