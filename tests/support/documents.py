"""Code blocks of Markdown files, and what their lines find in the folder where they are run."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.support.judged import write_judged
from tests.support.made_collection import write_collection

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PASSAGES = ("Leaves turn light into sugar.", "Steel bridges rust.", "Rivers flow to the sea.")
QUERY = "how do plants eat"


def code_blocks(path: Path) -> list[tuple[str, str]]:
    """Return language and text of each block, in order."""
    found = _BLOCK.findall(path.read_text("utf-8"))
    return [(language, text) for language, text in found]


def shell_lines(text: str) -> list[str]:
    """Return the commands of a block: one a line, with lines that go on joined."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def write_inputs(folder: Path) -> None:
    """Write the files of texts that the documents name."""
    (folder / "passages.txt").write_text("\n".join(PASSAGES) + "\n", "utf-8")
    texts = [{"id": str(number), "text": text} for number, text in enumerate(PASSAGES)]
    pairs = [{"query": QUERY, "document": text} for text in PASSAGES]
    for name, lines in (("corpus.jsonl", texts), ("pairs.jsonl", pairs)):
        (folder / name).write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (folder / "pairs").mkdir(exist_ok=True)
    (folder / "pairs" / "part.jsonl").write_text(
        (folder / "pairs.jsonl").read_text("utf-8"), "utf-8"
    )
    write_collection(folder / "scifact")
    write_judged(folder, 200, 60)
