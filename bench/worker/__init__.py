"""What runs in a peer's own environment: one engine, told what to do by JSON lines.

Nothing here imports the rest of the project, and each adapter imports only its own peer.
"""


class CannotRunError(Exception):
    """An engine cannot run here; the message is the reason as the report is to give it."""
