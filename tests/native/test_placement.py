"""The engine's threads keep off the caller's processor, and to what others allow them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Library
from tests.native.calls import opened, random_pairs, score

if sys.platform != "linux":
    pytest.skip("only Linux is told where threads may run", allow_module_level=True)

ALLOWED = frozenset(os.sched_getaffinity(0))
TASKS = Path("/proc/self/task")
PAIRS = random_pairs(4, 100, 20)

pytestmark = pytest.mark.skipif(len(ALLOWED) < 2, reason="one processor leaves no choice")


def tasks() -> set[int]:
    return {int(task.name) for task in TASKS.iterdir()}


@pytest.fixture(autouse=True)
def everywhere() -> Iterator[None]:
    """Let the caller run everywhere again in the end."""
    yield
    os.sched_setaffinity(0, ALLOWED)


def test_threads_keep_off_the_caller_s_processor(library: Library, builtin: Artifact) -> None:
    before = tasks()
    with opened(library, builtin.path, threads=len(ALLOWED)) as engine:
        workers = tasks() - before
        score(library, engine, PAIRS)
        (left,) = {frozenset(os.sched_getaffinity(worker)) for worker in workers}
        assert left < ALLOWED
        assert len(left) == len(workers)
        assert os.sched_getaffinity(0) == ALLOWED  # the caller's own is left alone


def test_more_threads_than_processors_are_not_crammed(library: Library, builtin: Artifact) -> None:
    before = tasks()
    with opened(library, builtin.path, threads=len(ALLOWED) + 1) as engine:
        workers = tasks() - before
        for processor in sorted(ALLOWED)[:2]:
            os.sched_setaffinity(0, {processor})
            os.sched_setaffinity(0, ALLOWED)
            score(library, engine, PAIRS)
            assert {frozenset(os.sched_getaffinity(worker)) for worker in workers} == {ALLOWED}


def test_a_caller_on_one_processor_draws_no_threads_there(
    library: Library, builtin: Artifact
) -> None:
    before = tasks()
    with opened(library, builtin.path, threads=2) as engine:
        (worker,) = tasks() - before
        os.sched_setaffinity(0, {min(ALLOWED)})
        score(library, engine, PAIRS)
        assert os.sched_getaffinity(worker) == ALLOWED


def test_a_thread_that_others_placed_stays_there(library: Library, builtin: Artifact) -> None:
    first, second = sorted(ALLOWED)[:2]
    before = tasks()
    with opened(library, builtin.path, threads=2) as engine:
        (worker,) = tasks() - before
        os.sched_setaffinity(worker, {second})
        for processor in (second, first, second):
            os.sched_setaffinity(0, {processor})
            os.sched_setaffinity(0, ALLOWED)
            score(library, engine, PAIRS)
            assert os.sched_getaffinity(worker) == {second}


def test_a_process_that_is_moved_stays_there(library: Library, builtin: Artifact) -> None:
    before = tasks()
    with opened(library, builtin.path, threads=2) as engine:
        (worker,) = tasks() - before
        score(library, engine, PAIRS)
        for processor in sorted(ALLOWED)[:2]:
            for task in (0, worker):
                os.sched_setaffinity(task, {processor})
            score(library, engine, PAIRS)
            assert os.sched_getaffinity(worker) == {processor}
