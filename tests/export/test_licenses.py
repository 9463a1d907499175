"""Licences are recorded under their SPDX identifiers."""

from __future__ import annotations

from typing import Any

import pytest

licenses: Any = pytest.importorskip("edge_rerank_export.licenses")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("apache-2.0", "Apache-2.0"),
        ("MIT", "MIT"),
        ("mit", "MIT"),
        ("cc-by-nc-4.0", "CC-BY-NC-4.0"),
        ("bsd-3-clause", "BSD-3-Clause"),
        ("odbl", "ODbL-1.0"),
        ("other", "other"),
        ("gemma", "gemma"),
    ],
)
def test_a_card_writes_licences_in_its_own_way(written: str, expected: str) -> None:
    assert licenses.spdx(written) == expected


def test_a_card_of_a_checkpoint(tmp_path: Any) -> None:
    checkpoint: Any = pytest.importorskip("edge_rerank_export.checkpoint")
    card = tmp_path / "README.md"
    card.write_text("---\nlanguage: en\nlicense: apache-2.0 # weights\n---\n# A model\n")
    assert checkpoint._stated_license(card) == "Apache-2.0"
