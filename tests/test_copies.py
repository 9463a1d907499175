"""Copies of a reranker load the same path with the same settings; nothing else can be copied."""

from __future__ import annotations

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import ArtifactNotFoundError, ClosedError, InputError, Reranker
from edge_rerank.artifact.builtin import builtin_model

QUERY = "how do plants eat"
TEXTS = ["water flow", "steel", "light"]


@pytest.fixture(params=["native", "onnxruntime"])
def reranker(request: pytest.FixtureRequest) -> Iterator[Reranker]:
    with Reranker.load(engine=request.param, threads=1, max_length=64) as loaded:
        yield loaded


COPIES: list[Callable[[Reranker], Reranker]] = [
    lambda reranker: pickle.loads(pickle.dumps(reranker)),
    lambda reranker: pickle.loads(pickle.dumps(reranker, protocol=0)),
    copy.copy,
    copy.deepcopy,
]


@pytest.mark.parametrize("copied", COPIES)
def test_a_copy_has_an_engine_of_its_own(
    reranker: Reranker, copied: Callable[[Reranker], Reranker]
) -> None:
    expected = reranker.rank(QUERY, TEXTS)
    other = copied(reranker)
    assert other.describe().engine == reranker.describe().engine
    assert (other.max_length, other.describe().threads) == (64, 1)
    other.close()
    assert reranker.rank(QUERY, TEXTS) == expected
    other = copied(reranker)
    reranker.close()
    assert other.rank(QUERY, TEXTS) == expected
    other.close()


def test_settings_stay_open_where_they_were(
    artifact_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(artifact_path.parent)
    options: dict[str, Any] = {"verify": False, "self_check": False}
    with Reranker.load(artifact_path.name, threads="auto", **options) as named:
        packed = pickle.dumps(named)
    with Reranker.load() as builtin:
        assert str(builtin_model()).encode() not in pickle.dumps(builtin)
    monkeypatch.chdir(tmp_path)
    seen: dict[str, Any] = {}
    monkeypatch.setattr(Reranker, "load", lambda path, **keywords: seen.update(keywords, path=path))
    pickle.loads(packed)
    assert seen == {
        "path": artifact_path.resolve(),
        **{"threads": None, "max_length": None, "engine": "auto", "kernel": None},
        "map_weights": False,
        **options,
    }


def test_a_closed_one_is_not_copied(artifact_path: Path) -> None:
    loaded = Reranker.load(artifact_path, threads=1)
    loaded.close()
    for copied in COPIES:
        with pytest.raises(ClosedError):
            copied(loaded)


def test_parts_are_not_copied_by_accident(reranker: Reranker) -> None:
    from edge_rerank.tokenizing.choose import PairTokenizer

    tokenizer, engine = reranker._parts()
    path = reranker.artifact.file("tokenizer.json")
    theirs = PairTokenizer(path, max_length=64, tokenizer="tokenizers")
    for part in (engine, tokenizer, tokenizer._tokenizer, theirs, theirs._tokenizer):
        for copied in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="belongs to this process; copy the Reranker"):
                copied(part)


def _ranked(job: tuple[Reranker, str]) -> list[float]:
    reranker, text = job
    return [hit.logit for hit in reranker.rank(QUERY, [text])]


def test_spawned_processes_get_one_each(reranker: Reranker) -> None:
    expected = [_ranked((reranker, text)) for text in TEXTS]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert pool.map(_ranked, [(reranker, text) for text in TEXTS]) == expected


def test_joblib(reranker: Reranker) -> None:
    joblib: Any = pytest.importorskip("joblib")
    expected = [_ranked((reranker, text)) for text in TEXTS]
    run = joblib.Parallel(n_jobs=2)
    assert run(joblib.delayed(_ranked)((reranker, text)) for text in TEXTS) == expected


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_can_take_a_copy(reranker: Reranker) -> None:
    expected = reranker.rank(QUERY, TEXTS)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if copy.copy(reranker).rank(QUERY, TEXTS) == expected else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_repr(artifact_path: Path) -> None:
    loaded = Reranker.load(artifact_path, threads=1, max_length=32, engine="onnxruntime")
    model = f"<Reranker tiny (fp32) at {artifact_path.resolve()}: "
    assert repr(loaded) == f"{model}engine onnxruntime, at most 32 tokens>"
    loaded.close()
    assert repr(loaded) == f"{model}closed>"


def test_the_constructor_names_load() -> None:
    with pytest.raises(InputError, match=r"opened with Reranker\.load\('my-model', threads=2\)"):
        Reranker("my-model", threads=2)
    with pytest.raises(InputError, match=r"opened with Reranker\.load\(\)"):
        Reranker()


@pytest.mark.parametrize("path", [3, 1.5, b"model", ["model"], object()])
def test_what_is_no_path(path: Any) -> None:
    with pytest.raises(InputError, match=r"the model is .*; expected the path of its folder"):
        Reranker.load(path)


def test_a_tilde_is_the_user_s_home(
    artifact_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(artifact_path.parent))
    monkeypatch.setenv("USERPROFILE", str(artifact_path.parent))
    for path in (f"~/{artifact_path.name}", Path("~") / artifact_path.name):
        with Reranker.load(path, threads=1) as loaded:
            assert loaded.artifact.path == artifact_path.resolve()
    with pytest.raises(ArtifactNotFoundError, match="nobody-of-this-name"):
        Reranker.load("~nobody-of-this-name/model")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "~").symlink_to(artifact_path.parent)  # a folder of this very name comes first
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    with Reranker.load(f"~/{artifact_path.name}", threads=1) as loaded:
        assert loaded.artifact.path == artifact_path.resolve()


@pytest.mark.parametrize("engine", ["native", "onnxruntime"])
def test_closing_from_another_thread_is_a_closed_error(engine: Any) -> None:
    """Never an AttributeError or another accident, whatever is called at that moment."""
    uses: list[Callable[[Reranker], object]] = [
        lambda reranker: reranker.rank(QUERY, TEXTS),
        lambda reranker: reranker.predict([(QUERY, "water")]),
        lambda reranker: list(reranker.score([(QUERY, "water")] * 3, at_a_time=1)),
        lambda reranker: reranker.describe(),
        lambda reranker: reranker.max_length,
        lambda reranker: reranker.__enter__(),
        repr,
    ]
    failures: list[BaseException] = []

    def work(loaded: Reranker, use: Callable[[Reranker], object], ready: threading.Barrier) -> None:
        ready.wait(timeout=30)
        try:
            for _ in range(100):
                use(loaded)
        except ClosedError:
            pass
        except BaseException as error:
            failures.append(error)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(12):
            loaded = Reranker.load(engine=engine, threads=1, verify=False, self_check=False)
            ready = threading.Barrier(len(uses) + 1)
            workers = [threading.Thread(target=work, args=(loaded, use, ready)) for use in uses]
            for worker in workers:
                worker.start()
            ready.wait(timeout=30)
            loaded.close()
            for worker in workers:
                worker.join(timeout=60)
                assert not worker.is_alive()
    finally:
        sys.setswitchinterval(before)
    assert failures == []


_SMALL = """
import pickle, sys
from edge_rerank import Reranker
reranker = Reranker.load(threads=1)
data = pickle.dumps(reranker)
del reranker
print(len(data), pickle.loads(data))
"""


def test_what_is_pickled_is_small() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SMALL], capture_output=True, text=True, check=True
    )
    size, text = done.stdout.split(" ", 1)
    assert int(size) < 500
    assert text.startswith("<Reranker ")
