"""Tests of the native engine: its build, its wheels, its binding, its C interface."""
