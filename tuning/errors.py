"""What can go wrong in tuning, in the same family as the runtime's errors."""

from __future__ import annotations

from edge_rerank.errors import EdgeRerankError


class TuningError(EdgeRerankError):
    """The tuning cannot be done, or not with these options."""
