"""Tools for developers of edge-rerank; nothing here is installed with it."""
