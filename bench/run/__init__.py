"""Measuring: texts and workloads, workers, turns, the sections of a run."""
