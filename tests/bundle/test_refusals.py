"""What no kit is made of, said before any work."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from edge_rerank.bundle import PLATFORMS, make_kit, this_platform
from edge_rerank.bundle.wheels import check_wheel, download
from edge_rerank.errors import ArtifactError, EdgeRerankError, InputError


def test_this_machine_is_among_the_platforms() -> None:
    assert this_platform() in PLATFORMS


@pytest.mark.parametrize("version", ["2.7", "3.9", "3", "3.11.2", "latest", ""])
def test_a_python_that_it_does_not_run_on(version: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"expected 3\.10 or later"):
        make_kit(tmp_path / "kit.tar", platform="linux-x86_64", python=version)
    assert not list(tmp_path.iterdir())


def test_a_platform_that_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'beos'; name the kit's platform, one of linux-x86_64"):
        make_kit(tmp_path / "kit.tar", platform="beos", python="3.11")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("numpy-2.0.0-cp311-cp311-win_amd64.whl", "is not a wheel of edge-rerank"),
        ("edge_rerank-0.1.0.tar.gz", "is not a wheel of edge-rerank"),
        ("edge_rerank-0.1.0-py3-none-win_amd64.whl", "--target linux-aarch64"),
    ],
)
def test_a_wheel_that_does_not_fit(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        check_wheel(tmp_path / name, "linux-aarch64")


def test_wheels_for_every_machine_fit() -> None:
    check_wheel(Path("edge_rerank-0.1.0-py3-none-any.whl"), "windows-arm64")
    both = "edge_rerank-0.1.0-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.whl"
    check_wheel(Path(both), "linux-aarch64")


def test_a_model_that_is_not_whole(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(ArtifactError):
        make_kit(
            tmp_path / "kit.tar", platform="linux-x86_64", python="3.11", model=tmp_path / "model"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_what_pip_says_is_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(EdgeRerankError, match=r"for macos-arm64, Python 3\.12:\n.*numpy"):
        download(["numpy"], tmp_path, "macos-arm64", "3.12", sources=["--no-index"])


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    wheel = tmp_path / "edge_rerank-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("edge_rerank-0.1.0.dist-info/METADATA", "Requires-Dist: numpy\n")
    with pytest.raises(EdgeRerankError, match="pip could not fetch numpy"):
        make_kit(
            tmp_path / "kit.tar",
            platform="linux-x86_64", python="3.11", wheel=wheel, sources=["--no-index"],
        )  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == [wheel.name]
