"""The engine under the address, undefined-behaviour and thread sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_rerank.artifact.folder import Artifact
from native.build import build_checked
from native.fuzz.seeds import TINY, write_artifact
from native.targets import Target
from tests.conftest import word_tokenizer
from tests.native.conftest import missing
from tests.support.made_tokenizers import deberta
from tests.support.trained_tokenizers import CONTENTS, write_content

NAMES = ("driver.cpp", "tokenizer_driver.cpp", "turns_driver.cpp")
DRIVERS = [Path(__file__).with_name(name) for name in NAMES]


@pytest.mark.build
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_the_engine_runs_clean(
    sanitizers: str, host: Target, builtin: Artifact, tmp_path: Path
) -> None:
    if host.system != "linux":
        pytest.skip("sanitizers are set up for Linux alone")
    if not (shutil.which("clang++") or shutil.which("g++")):
        missing("sanitizers need clang++ or g++ on the PATH")
    library, engines, tokenizers, turns = build_checked(sanitizers, DRIVERS, tmp_path)
    assert library.name == host.library
    tiny = [write_artifact(tmp_path / name, shape) for name, shape in TINY.items()]
    run_clean(engines, [builtin.path, *tiny])
    run_clean(turns, tiny[:2])
    known = [deberta(tmp_path / "unigram.json"), tmp_path / "wordpiece.json"]
    word_tokenizer().save(str(known[1]))
    known += [write_content(tmp_path / f"{name}.json", make()) for name, make in CONTENTS.items()]
    run_clean(tokenizers, known)


def run_clean(driver: Path, paths: list[Path]) -> None:
    done = subprocess.run(
        [str(driver), *map(str, paths)], capture_output=True, text=True, check=False, timeout=900
    )
    assert (done.returncode, done.stderr) == (0, "")
