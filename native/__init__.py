"""The C++ engine: its sources, and what builds them and the wheels (not installed)."""
