"""The software bill of materials of a wheel: CycloneDX 1.6, where PEP 770 says that it lies.

It names what the wheel holds beside our own code, above all what the compiler links into the
library, and what an installation asks for. The same build gives the same bytes: no time, no
random serial number.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from native.targets import Target
from native.toolchain import ROOT

NAME = "sboms/edge-rerank.cdx.json"
"""The file's name below the wheel's ``.dist-info``."""

_LLVM = "Apache-2.0 WITH LLVM-exception"
# Only what the linker takes from these is in the library; which of them a platform uses follows
# from its C library.
_RUNTIMES = ("libcxx", "libcxxabi", "libunwind", "compiler-rt")
_MODEL = "edge_rerank/models/mini"
_REQUIREMENT = re.compile(r"^[A-Za-z0-9._-]+")

Component = dict[str, Any]


def document(
    version: str, requirements: Sequence[str], target: Target | None, package: Path
) -> bytes:
    """Return the bill of a wheel as JSON in UTF-8.

    Args:
        version: The package's version.
        requirements: What an installation asks for, as requirement specifiers.
        target: The platform of the library; None for a wheel without one.
        package: The folder that the wheel is packed from.
    """
    components = [*_python(requirements), *_model(package), _unicode()]
    if target is not None:
        components += _compiled_in(target)
    written: bytes = _writer().bill_of_materials(_itself(version), components)
    return written


def _writer() -> ModuleType:
    """Return the module that writes bills; its package would import what no build has."""
    path = ROOT.parent / "edge_rerank" / "bundle" / "bill.py"
    spec = importlib.util.spec_from_file_location("edge_rerank_bill", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _itself(version: str) -> Component:
    return {
        "type": "library",
        "bom-ref": "edge-rerank",
        "name": "edge-rerank",
        "version": version,
        "purl": f"pkg:pypi/edge-rerank@{version}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }


def _python(requirements: Iterable[str]) -> list[Component]:
    """Return what pip installs beside the wheel; which version is pip's choice within the range."""
    found = []
    for requirement in requirements:
        name = _REQUIREMENT.match(requirement)
        if name is None or ";" in requirement:  # an extra's
            continue
        found.append(
            {
                "type": "library",
                "bom-ref": name[0],
                "name": name[0],
                "purl": f"pkg:pypi/{name[0].lower()}",
                "scope": "required",
                "description": f"installed beside the wheel: {requirement}",
            }
        )
    return found


def _model(package: Path) -> list[Component]:
    folder = package / _MODEL
    if not folder.is_dir():  # a source without the model builds all the same
        return []
    manifest = json.loads((folder / "manifest.json").read_bytes())
    weights = (folder / "model.safetensors").read_bytes()
    return [
        {
            "type": "machine-learning-model",
            "bom-ref": "model-mini",
            "name": f"edge-rerank-{manifest['name']}",
            "description": "the built-in model; started from all-MiniLM-L6-v2, Apache-2.0",
            "licenses": [{"license": {"id": manifest["license"]}}],
            "hashes": [{"alg": "SHA-256", "content": hashlib.sha256(weights).hexdigest()}],
        }
    ]


def _unicode() -> Component:
    return {
        "type": "data",
        "bom-ref": "unicode-data",
        "name": "Unicode character properties",
        "description": "tables of the native tokenizer",
        "licenses": [{"license": {"id": "Unicode-3.0"}}],
    }


def _compiled_in(target: Target) -> list[Component]:
    version = _llvm_version()
    found: list[Component] = [
        {
            "type": "library",
            "bom-ref": name,
            "name": name,
            "version": version,
            "purl": f"pkg:github/llvm/llvm-project@llvmorg-{version}#{name}",
            "description": "linked into the native library",
            "licenses": [{"expression": _LLVM}],
        }
        for name in _RUNTIMES
    ]
    if target.system == "windows":
        found.append(
            {
                "type": "library",
                "bom-ref": "mingw-w64",
                "name": "mingw-w64",
                "description": "start-up code of the native library, as zig brings it",
                "licenses": [{"license": {"id": "ZPL-2.1"}}],
            }
        )
    return found


def _llvm_version() -> str:
    """Return the version of the LLVM that zig's C++ library belongs to."""
    command = [sys.executable, "-m", "ziglang", "c++", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"clang version (\d+\.\d+\.\d+)", said)
    return found[1] if found else "unknown"
