"""The engine on ONNX Runtime: sessions, padded batches, and the memory that they take."""
