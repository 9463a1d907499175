"""The Walsh-Hadamard transform of products' inputs: an identity in float, a gain in int8."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")


@pytest.mark.parametrize(
    ("inputs", "points"),
    [(16, 1), (48, 1), (32, 2), (384, 8), (576, 4), (1536, 32), (3072, 32), (1000, 1)],
)
def test_as_many_vectors_as_the_size_allows(inputs: int, points: int) -> None:
    from edge_rerank_export.mixing import points_of

    assert points_of(inputs) == points


def test_rows_weights_and_gram_matrix_move_together() -> None:
    import torch

    from edge_rerank_export.mixing import hadamard, mix_gram, mix_rows, unmix_rows

    rng = np.random.default_rng(2)
    rows = rng.normal(size=(50, 96)).astype(np.float32)
    weight = rng.normal(size=(96, 7)).astype(np.float32)
    # Vectors of 16 stay together: the matrix of all 96 features has blocks of two vectors.
    whole = np.kron(np.eye(3), np.kron(hadamard(2), np.eye(16)))
    mixed = rows @ whole
    np.testing.assert_allclose(mixed @ mix_rows(weight, 2), rows @ weight, atol=1e-4)
    np.testing.assert_allclose(unmix_rows(mix_rows(weight, 2), 2), weight, atol=1e-6)
    gram = mix_gram(torch.from_numpy(rows.T @ rows), 2).numpy()
    np.testing.assert_allclose(gram, mixed.T @ mixed, atol=1e-3)


def test_values_that_stand_out_cost_the_others_less() -> None:
    """Rows of which each has one large value, in another place: no factor a feature helps."""
    from edge_rerank_export.mixing import hadamard, signs_and_length

    rng = np.random.default_rng(3)
    rows = rng.normal(size=(200, 512)).astype(np.float32)
    rows[np.arange(200), rng.integers(0, 512, 200)] = 60
    whole = np.kron(hadamard(32), np.eye(16))

    def error(values: np.ndarray) -> float:
        low = np.minimum(values.min(1, keepdims=True), 0)
        scale = (np.maximum(values.max(1, keepdims=True), 0) - low) / 253
        return float(np.square(np.rint(values / scale) * scale - values).mean())

    assert error(rows * signs_and_length(512, 32, 0) @ whole) < 0.2 * error(rows)
