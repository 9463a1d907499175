"""A host that unloads the library before it ends, as Node does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edge_rerank.artifact.folder import Artifact
from edge_rerank.native_library import Library, library_file

# What our code asked to be done at the process's end lies in the library.
_UNLOAD = """
import _ctypes, ctypes, sys
library = ctypes.CDLL(sys.argv[1])
engine = ctypes.c_void_p()
assert library.edge_rerank_open(sys.argv[2].encode(), None, ctypes.byref(engine)) == 0
library.edge_rerank_close(engine)
_ctypes.dlclose(library._handle)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="dlclose is of other systems")
def test_a_process_ends_well_without_the_library(library: Library, builtin: Artifact) -> None:
    command = [sys.executable, "-c", _UNLOAD, str(library_file()), str(builtin.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
