"""Running the project on other CPUs: ``python -m tools.emulation`` from the repository's root."""
