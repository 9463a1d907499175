"""How much disk a peer and all that it depends on take: python -m worker.installed NAME."""

from __future__ import annotations

import json
import re
import sys
from importlib import metadata
from pathlib import Path


def closure(roots: list[str]) -> dict[str, metadata.Distribution]:
    """Return the installed distributions of these and of what they need, without extras."""
    found: dict[str, metadata.Distribution] = {}
    todo = list(roots)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra
        for line in found[name].requires or []:
            wanted, _, marker = line.partition(";")
            if "extra" not in marker:
                todo += re.findall(r"^[A-Za-z0-9._-]+", wanted.strip())
    return found


def size(distribution: metadata.Distribution) -> int:
    """Return the bytes of its files; compiled bytecode is left out."""
    files = (Path(str(file.locate())) for file in distribution.files or [])
    return sum(file.stat().st_size for file in files if file.suffix != ".pyc" and file.is_file())


def main() -> None:
    """Print one JSON object: distribution to bytes."""
    found = closure(sys.argv[1:])
    print(json.dumps({name: size(found[name]) for name in sorted(found)}))


if __name__ == "__main__":
    main()
