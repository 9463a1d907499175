"""Checks of what callers pass in: every complaint says which argument, where and what is right."""
