"""Fuzzers of the native library, and the artifacts that they start from."""
