"""Opening a model's parts side by side: checksums, engine and tokenizer.

Hashing the files, opening the native engine and reading ``tokenizer.json`` take about as long,
and need the interpreter's lock for a moment at most; but for the tokenizers library, which holds
it for as long as it reads. So it comes last, and the others have a thread each.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from edge_rerank.artifact.folder import Artifact, verify_checksums
from edge_rerank.description import EngineChoice
from edge_rerank.engines.choose import import_engine
from edge_rerank.engines.protocol import Engine
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
) -> tuple[PairTokenizer, Engine]:
    """Open both, and compare the files' checksums if they are to be verified.

    ``engine`` is the name of the engine that will be started.
    Of several errors the same one is raised each time: that of the checksums, or else of the
    tokenizer, or else of the engine.
    """
    nothing = Outcome(lambda: None)
    checking = Background(partial(verify_checksums, artifact)) if verify else nothing
    # Imports give the lock away every few milliseconds, which is enough for hashing.
    import_engine(engine)
    starting = Background(start_engine)
    time.sleep(_HEAD_START)
    reading = Outcome(read_tokenizer)
    try:
        checking.result()
        return reading.result(), starting.result()
    except BaseException:
        starting.dismiss(lambda running: running.close())
        raise
