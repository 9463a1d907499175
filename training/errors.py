"""The one family of errors of this package: a plain sentence, with the values that matter."""


class TrainingError(Exception):
    """What was wrong, where, and what would be right. The command prints it without a traceback."""
