"""From a source's files to its sections, in a fixed order."""

import gzip
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from .errors import TrainingError
from .parse_html import parse_html
from .parse_text import parse_descriptions, parse_dict, parse_man, parse_wordnet
from .section import Section
from .sources import Source, files_of

PARSERS: dict[str, Callable[[str, str], Iterator[Section]]] = {
    "descriptions": parse_descriptions,
    "dict": parse_dict,
    "html": parse_html,
    "man": parse_man,
    "wordnet": parse_wordnet,
}


def read_text(path: Path) -> str:
    """A file's text, whatever it is packed with; a dictd .dz file is gzip."""
    if path.suffix in {".gz", ".dz"}:
        return gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    if path.suffix in {".lz4", ".xz", ".zst", ".bz2"}:
        # apt keeps its lists packed in the way the machine is set to, and brings the reader.
        done = subprocess.run(
            ["/usr/lib/apt/apt-helper", "cat-file", str(path)], capture_output=True, check=False
        )
        if done.returncode != 0:
            raise TrainingError(
                f"{path.name}: apt-helper could not unpack it (status {done.returncode})"
            )
        return done.stdout.decode("utf-8", "replace")
    return path.read_text("utf-8", "replace")


def sections_of(source: Source, work: Path) -> Iterator[Section]:
    """Every section of every file; a file is a document unless its parser knows better."""
    parser = PARSERS[source.format]
    for path in files_of(source, work):
        yield from parser(read_text(path), path.stem)
