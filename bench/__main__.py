"""Benchmarks beside peers: python -m edge_rerank_bench COMMAND --help."""

from __future__ import annotations

from .command import main

raise SystemExit(main())
