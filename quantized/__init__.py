"""Package data: the artifacts that ship with edge-rerank, each in a folder of its own."""
