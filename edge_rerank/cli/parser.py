"""One grammar for all commands: options may stand anywhere, and are never abbreviated."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from edge_rerank.cli.failures import EXIT_USAGE
from edge_rerank.cli.streams import say

_LONG = 19  # digits
_NUMBER = re.compile(r"-\d*\.?\d+")


class CommandParser(argparse.ArgumentParser):
    """Ends bad usage with one line that says what is wrong, and where help is."""

    def __init__(self, **options: Any) -> None:
        """Make the parser; ``options`` are argparse's."""
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the usage, and end."""
        say(f"{self.prog}: {message} (see {self.prog} --help)")
        raise SystemExit(EXIT_USAGE)

    def _print_message(self, message: str, file: Any = None) -> None:
        if file is None or file is not sys.stdout:
            super()._print_message(message, file)
        else:  # argparse itself would pass over a disk that is full
            file.write(message)

    def parse_command(self, words: Sequence[str]) -> argparse.Namespace:
        """Read a command's words, its options anywhere between its other arguments."""
        options, others = self._sorted(words)
        known = self._option_string_actions
        unknown = [word for word in options if _is_option(word) and _name(word) not in known]
        in_order = [*options, *(["--", *others] if others else [])]
        if self.get_default("any_words"):
            return self.parse_known_args(in_order)[0]
        if unknown:
            self.error(self._unrecognized(unknown))
        return self.parse_args(in_order)

    def _sorted(self, words: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return the options with their values, and the other arguments, each in their order."""
        options: list[str] = []
        others: list[str] = []
        rest = iter(words)
        for word in rest:
            if word == "--":
                others.extend(rest)
            elif not _is_option(word):
                others.append(word)
            else:
                options.append(word)
                action = self._option_string_actions.get(word)
                if action is not None and action.nargs is None:
                    value = next(rest, None)
                    if value is not None and value not in self._option_string_actions:
                        options[-1] = f"{word}={value}"
                    elif value is not None:
                        options.append(value)  # and the parser says that a value is missing
        return options, others

    def _unrecognized(self, words: Sequence[str]) -> str:
        from difflib import get_close_matches  # nobody else needs it

        near = get_close_matches(_name(words[0]), self._option_string_actions, 1)
        hint = "; put -- before texts that begin with a dash"
        if near:
            hint = f"; did you mean {near[0]}?"
        return f"unrecognized arguments: {' '.join(words)}{hint}"


def _is_option(word: str) -> bool:
    """Whether a word is meant as an option: a text with blanks or a number is not."""
    is_text = word == "-" or " " in _name(word) or _NUMBER.fullmatch(word)
    return word.startswith("-") and not is_text


def _name(word: str) -> str:
    return word.partition("=")[0]


def as_utf8(word: str) -> str:
    """Return an argument's bytes read as UTF-8, whatever the locale's encoding made of them."""
    try:
        return os.fsencode(word).decode("utf-8")
    except UnicodeError:
        return word


def whole_number(text: str) -> int:
    """Read a whole number from 1."""
    if not (text.isascii() and text.isdigit() and len(text) < _LONG and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")
    return int(text)


def seed(text: str) -> int:
    """Read a whole number from 0."""
    try:
        return 0 if text == "0" else whole_number(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0") from None


def number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number") from None


def thread_count(text: str) -> int | str:
    """Read a number of threads, or ``auto`` for all that the process may use."""
    if text == "auto":
        return text
    try:
        return whole_number(text)
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}, or auto") from None
