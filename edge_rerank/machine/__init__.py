"""What this machine is: the processor and its features, and how many threads may run."""
