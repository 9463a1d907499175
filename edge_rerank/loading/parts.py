"""Opening a model's parts side by side: checksums, engine and tokenizer.

Hashing the files, opening the native engine and reading ``tokenizer.json`` take about as long,
and need the interpreter's lock for a moment at most; but for the tokenizers library, which holds
it for as long as it reads. So it comes last, and the others have a thread each.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

from edge_rerank.artifact.folder import Artifact, verify_checksums
from edge_rerank.description import EngineChoice
from edge_rerank.engines.choose import import_engine
from edge_rerank.engines.protocol import Engine
from edge_rerank.errors import interrupt_behind
from edge_rerank.loading.background import Background, Outcome
from edge_rerank.tokenizing.choose import PairTokenizer

# What the others need to get to where they work without the lock.
_HEAD_START = 0.002  # seconds


def open_parts(
    artifact: Artifact,
    start_engine: Callable[[], Engine],
    read_tokenizer: Callable[[], PairTokenizer],
    *,
    engine: EngineChoice,
    verify: bool,
    threads: int,
) -> tuple[PairTokenizer, Engine]:
    """Open both, and compare the files' checksums if they are to be verified.

    ``engine`` is the name of the engine that will be started. With one thread all is done on the
    one that calls: where no other can be made, a model can still be loaded.
    Of several errors the same one is raised each time: that of the checksums, or else of the
    tokenizer, or else of the engine.
    """
    outer = sys.exc_info()[1]
    beside = Background if threads > 1 else Outcome
    started: list[Outcome[None] | Outcome[Engine]] = []
    try:
        check = partial(verify_checksums, artifact) if verify else _nothing
        checking = beside(check)
        started.append(checking)
        # Imports give the lock away every few milliseconds, which is enough for hashing.
        import_engine(engine, artifact)
        starting = beside(start_engine)
        started.append(starting)
        if threads > 1:
            time.sleep(_HEAD_START)
        reading = Outcome(read_tokenizer)
        checking.result()
        return reading.result(), starting.result()
    except BaseException as error:
        for part in started:
            part.dismiss(_close)
        interrupt = interrupt_behind(error, outer)
        if interrupt is None or interrupt is error:
            raise
        raise interrupt from None


def _nothing() -> None:
    pass


def _close(part: Engine | None) -> None:
    if part is not None:
        part.close()
