"""How to install an extra from where this package was installed: it may be on no index.

A name that nobody holds on an index could be anybody's tomorrow, so it is never advised.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_rerank.errors import EdgeRerankError, MissingExtraError

if TYPE_CHECKING:
    from importlib.metadata import Distribution

_NAME = "edge-rerank"
_REQUIREMENT = re.compile(r"^(?P<what>[^;]+?)\s*(?:;(?P<marker>.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*["']([^"']+)["']""")
_OWN = re.compile(r"^edge[-_.]rerank\[(.+?)\]")


def extra_library(name: str, extra: str, what: str) -> Any:
    """Import a library of an extra; raises MissingExtraError, which says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {name.partition('.')[0]}, which cannot be imported ({error}); install "
            f"the extra with: {install_command(extra)}"
        ) from error


def check_libraries(
    names: Iterable[str], extra: str, what: str, error: type[EdgeRerankError] = MissingExtraError
) -> None:
    """Raise an error that names the missing ones of an extra; imports none of them."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise error(
            f"{what} needs {', '.join(missing)}; install its extra with: {install_command(extra)}"
        )


def install_command(extra: str) -> str:
    """Return the command that installs an extra.

    It takes it from where this installation came from, if that is still there, and otherwise
    names the libraries themselves.
    """
    from importlib import metadata  # here, not at the top: only messages need it

    found = list(metadata.distributions(name=_NAME))
    origin = next((one for one in map(_origin, found) if one), None)
    source = _source(origin, extra) or _clone(extra)
    words = source or (_libraries(found[0], extra) if found else ())
    if not words:
        return f"python -m pip install '.[{extra}]' in a clone"
    return "python -m pip install " + " ".join(map(_quoted, words))


def _origin(distribution: Distribution) -> dict[str, Any] | None:
    """Return what pip recorded about where it took the distribution from (PEP 610)."""
    try:
        text = distribution.read_text("direct_url.json")
        found = json.loads(text) if text else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("url"), str) else None


def _source(origin: dict[str, Any] | None, extra: str) -> list[str] | None:
    if origin is None:
        return None
    from urllib.parse import unquote, urlsplit

    url = urlsplit(origin["url"])
    if url.scheme == "file":
        name = unquote(url.path)
        path = Path(name.lstrip("/") if os.name == "nt" else name)
        if path.is_dir():
            editable = (origin.get("dir_info") or {}).get("editable") is True
            return [*(["-e"] if editable else []), f"{path}[{extra}]"]
        return [f"{path}[{extra}]"] if path.is_file() else None
    vcs = origin.get("vcs_info") or {}
    if not vcs:
        return [f"{_NAME}[{extra}] @ {origin['url']}"]
    return [f"{_NAME}[{extra}] @ {vcs.get('vcs')}+{origin['url']}@{vcs.get('commit_id')}"]


def _clone(extra: str) -> list[str] | None:
    """Return the clone that this file is run from, if that is where it lies."""
    root = Path(os.path.abspath(__file__)).parents[1]
    return [f"{root}[{extra}]"] if (root / "pyproject.toml").is_file() else None


def _libraries(distribution: Distribution, extra: str) -> list[str]:
    return sorted(set(_required(distribution, extra)))


def _required(distribution: Distribution, extra: str) -> Iterator[str]:
    for line in distribution.requires or ():
        found = _REQUIREMENT.match(line)
        if found is None or extra not in _EXTRA.findall(found["marker"] or ""):
            continue
        own = _OWN.match(found["what"])
        if own is None:
            yield found["what"].replace(" ", "")
        else:
            for inner in own[1].split(","):
                yield from _required(distribution, inner.strip())


def _quoted(word: str) -> str:
    return shlex.quote(word) if os.name != "nt" else f'"{word}"'
