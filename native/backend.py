"""The build backend: setuptools', which asks for a compiler only where something is compiled.

A requirement in ``pyproject.toml`` would be fetched by every installation, even by one with
EDGE_RERANK_BUILD_NATIVE=0 on a machine without a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from setuptools import build_meta

from native.settings import needs_compiler, refuse_32_bits

COMPILER = "ziglang>=0.17,<0.18"

build_sdist = build_meta.build_sdist
build_wheel = build_meta.build_wheel
build_editable = build_meta.build_editable
get_requires_for_build_sdist = build_meta.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = build_meta.prepare_metadata_for_build_wheel
prepare_metadata_for_build_editable = build_meta.prepare_metadata_for_build_editable


def get_requires_for_build_wheel(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """Return what a wheel's build needs beside what ``pyproject.toml`` names."""
    return [*build_meta.get_requires_for_build_wheel(config_settings), *_compiler()]


def get_requires_for_build_editable(config_settings: Mapping[str, Any] | None = None) -> list[str]:
    """Return what an editable installation needs beside what ``pyproject.toml`` names."""
    return [*build_meta.get_requires_for_build_editable(config_settings), *_compiler()]


def _compiler() -> list[str]:
    refuse_32_bits()
    return [COMPILER] if needs_compiler() else []
