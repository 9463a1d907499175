"""What runs in a peer's own environment: one engine, told what to do by JSON lines.

Nothing here imports the rest of the project, and each adapter imports only its own peer.
"""

import os

# Peers import onnxruntime by themselves, and it would call home while they are measured.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


class CannotRunError(Exception):
    """An engine cannot run here; the message is the reason as the report is to give it."""
