"""``python -m edge_rerank``: the command line."""

from __future__ import annotations

import sys

from edge_rerank.cli import main

if __name__ == "__main__":
    sys.exit(main())
