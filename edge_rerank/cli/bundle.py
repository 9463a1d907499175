"""``edge-rerank bundle``: one file for a machine without a network."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.streams import say

_EPILOG = f"""\
The archive holds wheels, a model, checksums, a bill of materials and a script. There, with Python
and nothing else:

  tar -xf kit.tar && python3 edge-rerank-kit/install DIR

pip fetches the wheels from your index here; nothing is fetched there.

examples:
  edge-rerank bundle --output kit.tar
  edge-rerank bundle --model ./my-model --numpy-alone --output kit.tar
  edge-rerank bundle --platform linux-aarch64 --python 3.11 --wheel ./edge_rerank-0.1.0-...whl
      --output kit.tar

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "bundle",
        help="make one file that installs without a network",
        description="Make one file that brings edge-rerank to a machine without a network.",
        epilog=_EPILOG,
    )
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the kit, a tar")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a model folder to take along")
    parser.add_argument(
        "--platform", metavar="NAME",
        help="such as linux-aarch64, musllinux-x86_64, macos-arm64, windows-x86_64 "
        "(default: this machine's)",
    )  # fmt: skip
    parser.add_argument(
        "--python", default=here, metavar="3.N", help=f"the Python there (default: {here})"
    )
    parser.add_argument(
        "--wheel", type=Path, metavar="FILE",
        help="edge-rerank's wheel for that platform (default: packed from this installation)",
    )  # fmt: skip
    parser.add_argument(
        "--numpy-alone", action="store_true",
        help="leave out onnxruntime and tokenizers, which the native engine does without",
    )  # fmt: skip
    parser.add_argument(
        "--find-links", action="append", default=[], metavar="DIR",
        help="a folder where pip looks for wheels too; may be repeated",
    )  # fmt: skip
    parser.add_argument("--no-index", action="store_true", help="take wheels from folders alone")
    parser.add_argument(
        "--sign", type=Path, metavar="KEY", help="sign the checksums with this SSH key"
    )
    parser.set_defaults(run=run, prints=False, texts=("python", "platform"))


def run(options: argparse.Namespace) -> int:
    """Make the kit."""
    from edge_rerank.bundle import make_kit, this_platform  # here: no other command needs it

    sources = [word for folder in options.find_links for word in ("--find-links", folder)]
    kit = make_kit(
        options.output,
        platform=options.platform or this_platform(),
        python=options.python,
        model=options.model,
        wheel=options.wheel,
        numpy_alone=options.numpy_alone,
        sources=[*(["--no-index"] if options.no_index else []), *sources],
        key=options.sign,
    )
    say(f"{kit.path}: {kit.size / 1e6:.1f} MB, {len(kit.wheels)} wheels")
    return EXIT_OK
