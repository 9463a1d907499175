"""What the process may use: affinity, cgroup quotas of both versions, and what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_rerank import InputError
from edge_rerank.machine import threads as threads_module
from edge_rerank.machine.threads import ENVIRONMENT_VARIABLE, cgroup_limits, resolve_threads


@pytest.fixture
def eight(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Make it a machine of eight CPUs without quotas."""
    monkeypatch.setattr(threads_module, "_affinity", lambda: 8)
    monkeypatch.setattr(threads_module, "_PROC_SELF", tmp_path / "none")
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)


def proc(tmp_path: Path, cgroup: str, mountinfo: str) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "cgroup").write_text(cgroup)
    (folder / "mountinfo").write_text(mountinfo)
    return folder


def quota(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def test_version_2_walks_up(tmp_path: Path) -> None:
    top = tmp_path / "cg"
    quota(top / "a" / "b" / "c", cpu__max="max 100000")
    quota(top / "a" / "b", cpu__max="350000 100000")
    quota(top / "a", cpu__max="150000 100000")
    where = proc(
        tmp_path, "0::/a/b/c\n", f"30 1 0:2 / {top} rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
    )
    assert list(cgroup_limits(where)) == [3, 1]


def test_version_2_under_half_a_cpu_is_one(tmp_path: Path) -> None:
    quota(tmp_path / "cg", cpu__max="50000 100000")
    where = proc(tmp_path, "0::/\n", f"30 1 0:2 / {tmp_path / 'cg'} rw - cgroup2 c rw\n")
    assert list(cgroup_limits(where)) == [1]


def test_version_1_in_a_container_and_with_a_blank_in_the_path(tmp_path: Path) -> None:
    top = tmp_path / "cg roup"
    quota(top, **{"cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"})
    quota(top / "x", **{"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000"})
    escaped = str(top).replace(" ", "\\040")
    where = proc(
        tmp_path,
        "4:cpu,cpuacct:/docker/abc/x\n3:memory:/docker/abc\n0::/\n",
        f"31 1 0:3 /docker/abc {escaped} rw shared:1 - cgroup cgroup rw,cpu,cpuacct\n"
        "32 1 0:4 / /nowhere rw - cgroup cgroup rw,memory\nshort line\n",
    )
    assert list(cgroup_limits(where)) == [4]


@pytest.mark.parametrize("path", ["/../other", "/elsewhere"])
def test_a_cgroup_out_of_sight_falls_back_to_the_mount(tmp_path: Path, path: str) -> None:
    quota(tmp_path / "cg", cpu__max="200000 100000")
    quota(tmp_path / "other", cpu__max="100000 100000")
    where = proc(tmp_path, f"0::{path}\n", f"1 1 0:2 /mine {tmp_path / 'cg'} rw - cgroup2 c rw\n")
    assert list(cgroup_limits(where)) == [2]


@pytest.mark.parametrize("text", ["", "max 100000", "x y", "100000", "100000 0", "-1 100000"])
def test_odd_quotas_are_no_quota(tmp_path: Path, text: str) -> None:
    quota(tmp_path / "cg", cpu__max=text)
    where = proc(tmp_path, "0::/\n\nodd\n", f"1 1 0:2 / {tmp_path / 'cg'} rw - cgroup2 c rw\n")
    assert list(cgroup_limits(where)) == []


def test_the_smallest_limit_counts(
    eight: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    quota(tmp_path / "cg", cpu__max="300000 100000")
    where = proc(tmp_path, "0::/\n", f"1 1 0:2 / {tmp_path / 'cg'} rw - cgroup2 c rw\n")
    assert resolve_threads() == 8
    monkeypatch.setattr(threads_module, "_PROC_SELF", where)
    assert resolve_threads() == 3
    monkeypatch.setattr(threads_module, "_affinity", lambda: 2)
    assert resolve_threads() == 2


def test_parameter_before_environment_before_all(
    eight: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_threads() == 8
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, " 3 ")
    assert resolve_threads() == 3
    assert resolve_threads(5) == 5
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "")
    assert resolve_threads() == 8


@pytest.mark.parametrize("value", [0, -1, 9, 1.0, "2", True])
def test_bad_parameters(eight: None, value: int) -> None:
    with pytest.raises(InputError, match=f"threads is {value!r}"):
        resolve_threads(value)


@pytest.mark.parametrize("value", ["0", "00", "two", "1.5", "-1", "\u0663"])
def test_bad_environment(eight: None, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, value)
    with pytest.raises(InputError, match=f"{ENVIRONMENT_VARIABLE} is .*{value}"):
        resolve_threads()


@pytest.mark.parametrize("value", ["9", " 64 ", "9" * 5000])
def test_a_variable_over_the_limit_is_lowered_with_one_warning(
    eight: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, value)
    threads_module._warn_once.cache_clear()
    assert [resolve_threads() for _ in range(3)] == [8, 8, 8]
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("edge_rerank", "WARNING")
    assert record.getMessage().startswith(
        f"{ENVIRONMENT_VARIABLE} is {value.strip()[:20]}, and this"
    )


def test_auto_is_all_that_may_be_used(eight: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "3")
    assert (resolve_threads(), resolve_threads("auto")) == (3, 8)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "auto")
    assert resolve_threads() == 8


def test_over_the_limit_names_limit_and_remedy(eight: None) -> None:
    with pytest.raises(InputError, match=r"threads is 9; this process may use 1 to 8 .*fewer"):
        resolve_threads(9)
