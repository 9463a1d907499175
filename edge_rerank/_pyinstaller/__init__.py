"""Hooks for PyInstaller, which finds them by the entry point ``pyinstaller40`` of this package."""

from __future__ import annotations

import os


def get_hook_dirs() -> list[str]:
    """Return the folder of the hooks."""
    return [os.path.dirname(__file__)]
