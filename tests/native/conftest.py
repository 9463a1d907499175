"""The library as built with this checkout; tests are skipped where it cannot be, and not in CI."""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Artifact, load_artifact
from edge_rerank.native_library import (
    FOLDER,
    Library,
    UnavailableError,
    library_file,
    load_library,
)
from native.targets import TARGETS, Target, host_target
from native.toolchain import ROOT
from native.wheels import build_wheels

REQUIRED = os.environ.get("EDGE_RERANK_REQUIRE_NATIVE") == "1"
EPOCH = "1700000000"  # seconds; the time of all that a wheel holds
HEADER = Path(__file__).parents[2] / "native" / "include" / "edge_rerank.h"


def declared() -> frozenset[str]:
    """Return the names of the functions that the header declares."""
    text = HEADER.read_text("utf-8")
    return frozenset(re.findall(r"EDGE_RERANK_API [\w ]+?\*?(edge_rerank_\w+)\(", text))


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where EDGE_RERANK_REQUIRE_NATIVE=1 says that nothing may miss."""
    if REQUIRED:
        pytest.fail(f"EDGE_RERANK_REQUIRE_NATIVE=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def library() -> Library:
    """Return the library that lies in the package."""
    try:
        found = load_library()
    except UnavailableError as error:
        missing(str(error))
    _check_age()
    return found


def _check_age() -> None:
    """Fail where the sources have changed since the library in this checkout was built."""
    sources = [path for path in (ROOT / "src").rglob("*") if path.suffix in (".cpp", ".h")]
    file = library_file()
    newest = max(path.stat().st_mtime for path in sources)
    if file.is_relative_to(ROOT.parent) and newest > file.stat().st_mtime:
        remedy = f"python -m native.build --output {FOLDER}"
        pytest.fail(f"{file} is older than native/src: {remedy}")


@pytest.fixture(scope="session")
def host() -> Target:
    """Return this machine's target, where there is a compiler for it."""
    if importlib.util.find_spec("ziglang") is None:
        missing("ziglang is not installed")
    target = host_target()
    if target is None:
        missing("there is no build of the native engine for this platform")
    return target


@pytest.fixture(scope="session")
def wheels(host: Target, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Build the wheels of all platforms, once; return them by the target's name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", EPOCH)
        built = build_wheels(list(TARGETS.values()), tmp_path_factory.mktemp("wheels"))
    return dict(zip(TARGETS, built, strict=True))


@pytest.fixture(scope="session")
def builtin() -> Artifact:
    """Return the built-in model."""
    return load_artifact(builtin_model(), verify=False)
