"""The proof that a model gives its scores on this machine, and on texts of the user's own."""

from edge_rerank.verification.report import Verification, verify

__all__ = ["Verification", "verify"]
