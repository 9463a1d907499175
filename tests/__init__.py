"""The tests; a package, so that they can share what is in ``tests/support``."""

import os

# Before torch is imported anywhere: a thread that has nothing to do sleeps. By default it asks over
# and over for a while, which on virtual machines, and beside other tests, takes far longer.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
