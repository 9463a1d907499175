"""Keys that let a request in: from a file or the environment, compared in constant time."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from edge_rerank.errors import InputError

KEYS_VARIABLE = "EDGE_RERANK_API_KEYS"
_LEAST_CHARACTERS = 8


class Keyring:
    """All keys of a server, as hashes: the comparison says nothing of lengths either."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._hashes = [sha256(key.encode()).digest() for key in keys]

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Say whether a request may pass: ``Bearer KEY``, or the bare key, as some clients send."""
        if not self._hashes:
            return True
        given = headers.get("authorization", "").strip()
        if given[:7].lower() == "bearer ":
            given = given[7:].strip()
        offered = sha256(given.encode()).digest()
        # Every key is compared, so that the time does not tell which one came close.
        return sum(hmac.compare_digest(offered, known) for known in self._hashes) > 0


def read_keys(file: str | None) -> tuple[str, ...]:
    """Read the keys of a file, one a line, and of EDGE_RERANK_API_KEYS, separated by spaces.

    Raises InputError for a file that cannot be read, without a key, or with one too short.
    """
    keys: list[str] = []
    if file is not None:
        try:
            lines = Path(file).read_text("utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            raise InputError(f"{file}: the keys cannot be read: {error}") from error
        keys = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
        if not keys:
            raise InputError(f"{file}: holds no key; expected one a line")
    keys += os.environ.get(KEYS_VARIABLE, "").split()
    for place, key in enumerate(keys, 1):
        if len(key) < _LEAST_CHARACTERS or not key.isascii() or " " in key:
            raise InputError(
                f"key {place} is not usable; expected {_LEAST_CHARACTERS} or more ASCII characters "
                "without spaces"
            )
    return tuple(keys)
