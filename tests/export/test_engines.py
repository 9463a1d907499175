"""Both engines on every shape of the family: the native one against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_rerank import Reranker
from edge_rerank.artifact.folder import load_artifact, load_probes
from edge_rerank.native_library import UnavailableError, load_library
from tests.export.conftest import VARIANTS, Make
from tests.native.conftest import missing

QUICK, *OTHERS = VARIANTS
SLOW = pytest.mark.slow  # each is exported, twice
# Relative to the spread of the logits. Exact arithmetic in another order, and 8 bits rounded in
# another way: the native engine keeps the attention's weights in full precision.
LIMITS = {"fp32": 1e-4, "int8": 0.1}


def logits(folder: Path, engine: Any, kernel: Any = None) -> NDArray[np.float32]:
    """Score the probe pairs and some of other lengths."""
    probes = load_probes(load_artifact(folder, verify=False))
    pairs = [(probe.query, probe.document) for probe in probes]
    pairs += [("a", "water"), ("how do plants eat", "light " * 200)]
    with Reranker.load(folder, engine=engine, kernel=kernel, self_check=False) as reranker:
        assert reranker.describe().engine == engine
        return reranker.predict(pairs, scores="logits")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("variant", [QUICK, *(pytest.param(n, marks=SLOW) for n in OTHERS)])
def test_engines_agree(variant: str, precision: str, make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportOptions, export_model

    try:
        kernels = load_library().kernels
    except UnavailableError as error:
        missing(str(error))
    options = ExportOptions(precision=precision, allow_poor_parity=True)
    folder = tmp_path / "model"
    export_model(str(make_checkpoint(VARIANTS[variant])), folder, options, report=lambda line: None)
    expected = logits(folder, "onnxruntime")
    found = logits(folder, "native")
    difference = float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())
    assert difference < LIMITS[precision]
    for kernel in kernels[1:]:
        np.testing.assert_array_equal(logits(folder, "native", kernel), found)
