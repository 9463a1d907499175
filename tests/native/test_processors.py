"""The library counts the processors that cgroups allow as Python does."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from edge_rerank.machine.threads import cgroup_limits
from native.build import Unit, compile_units, library_version, run
from native.targets import Target
from native.toolchain import ROOT, zig

pytestmark = pytest.mark.build
DRIVER = Path(__file__).with_name("processors_driver.cpp")
MOST = 64
V2, V1 = "cgroup2 c rw", "cgroup cgroup rw,cpu,cpuacct"

# What /proc/self/cgroup and a mount say, and the quotas of folders under the mount point.
TREES: dict[str, tuple[str, tuple[str, str], dict[str, str], int]] = {
    "nothing": ("", ("/", V2), {}, MOST),
    "no quota": ("0::/a\n", ("/", V2), {"a/cpu.max": "max 100000"}, MOST),
    "walks up": (
        "0::/a/b\n", ("/", V2), {"a/b/cpu.max": "350000 100000", "a/cpu.max": "250000 100000"}, 2
    ),
    "half a processor": ("0::/\n", ("/", V2), {"cpu.max": "50000 100000"}, 1),
    "out of sight": ("0::/../other\n", ("/mine", V2), {"cpu.max": "200000 100000"}, 2),
    "another's": ("0::/elsewhere\n", ("/mine", V2), {"cpu.max": "300000 100000"}, 3),
    "a name that begins alike": ("0::/mine2\n", ("/mine", V2), {"cpu.max": "300000 100000"}, 3),
    "odd": ("0::/\n\nodd\n", ("/", V2), {"cpu.max": "-1 100000"}, MOST),
    "no period": ("0::/\n", ("/", V2), {"cpu.max": "100000 0"}, MOST),
    "version 1": (
        "4:cpu,cpuacct:/docker/abc/x\n3:memory:/docker/abc\n0::/\n", ("/docker/abc", V1),
        {
            "cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000",
            "x/cpu.cfs_quota_us": "-1", "x/cpu.cfs_period_us": "100000",
        },
        4,
    ),
    "version 1 of other controllers": (
        "4:cpuset:/\n", ("/", V1),
        {"cpu.cfs_quota_us": "400000", "cpu.cfs_period_us": "100000"}, MOST,
    ),
    "above what there is": ("0::/\n", ("/", V2), {"cpu.max": "9900000 100000"}, MOST),
}  # fmt: skip


def test_the_same_counts_as_in_python(host: Target, tmp_path: Path) -> None:
    if host.system != "linux":
        pytest.skip("only Linux has cgroups")
    toolchain = zig(host, library_version())
    sources = [Unit(DRIVER, ()), Unit(ROOT / "src" / "base" / "processors.cpp", ())]
    program = tmp_path / "processors"
    run(toolchain.link_program(compile_units(toolchain, sources, tmp_path), program))
    for name, (cgroup, (root, kind), quotas, expected) in TREES.items():
        where, mount = tmp_path / name / "proc", tmp_path / name / "cg roup"
        where.mkdir(parents=True)
        for file, text in quotas.items():
            (mount / file).parent.mkdir(parents=True, exist_ok=True)
            (mount / file).write_text(text + "\n")
        (where / "cgroup").write_text(cgroup)
        point = str(mount).replace(" ", "\\040")
        (where / "mountinfo").write_text(f"short line\n30 1 0:2 {root} {point} rw s:1 - {kind}\n")
        said = subprocess.run([str(program), str(where), str(MOST)], stdout=-1, check=True).stdout
        assert (name, int(said)) == (name, expected)
        assert min([MOST, *cgroup_limits(where)]) == expected
