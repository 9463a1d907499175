"""What edge-rerank is compared with: engines, their environments, the models they run from."""
