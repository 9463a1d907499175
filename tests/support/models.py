"""A trained DeBERTa-v2 in the repository, for tests of that family and of old artifacts."""

from __future__ import annotations

from tests.support.tree import ROOT

DEBERTA = ROOT / "quantized" / "mini-deberta"
"""int8, of the first format, 25 MB: the built-in model of earlier releases."""
