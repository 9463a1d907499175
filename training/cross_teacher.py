"""ms-marco-MiniLM-L-12-v2, a cross-encoder: the third teacher, for lists of documentation.

It reads both texts at once, as the correction does, and was trained on half a million real
questions. Its weights lie in int8 in the second teacher's package; they go through this project's
exporter and are run by its engine.
"""

import json
import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from edge_rerank import Reranker
from edge_rerank_export.pipeline import ExportOptions, export_model
from edge_rerank_export.quiet import quiet

from .dequantised import dequantised_weights
from .errors import TrainingError
from .kept_rows import digest_of, kept_rows
from .second_teacher import package_folder

CONFIG = {
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "num_labels": 1,
}
"""The package has no config.json of it; these are the sizes of its weights."""
LONGEST = 320
LISTS_PER_CALL = 256
REPORT_CALLS = 8


def cross_teacher_folder() -> Path:
    """The folder of the model inside the installed package."""
    return package_folder("reranker_en")


def write_cross_teacher(source: Path, target: Path, config: dict[str, int]) -> None:
    """Write the file's weights, back in float32, as a checkpoint that can be exported."""
    model = BertForSequenceClassification(BertConfig(**config)).eval()
    found = dequantised_weights(source / "model.onnx")
    weights = {}
    for name, wanted in model.state_dict().items():
        if name.endswith("_ids"):
            continue
        row = found.get(name)
        if row is None or row.shape != wanted.shape:
            raise TrainingError(f"{source.name}/model.onnx has no weights for {name}")
        weights[name] = torch.from_numpy(row)
    model.load_state_dict(weights, strict=False)
    model.save_pretrained(target)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(source / name, target)
    file = target / "config.json"
    content = json.loads(file.read_text("utf-8"))
    content["sbert_ce_default_activation_function"] = "torch.nn.modules.linear.Identity"
    file.write_text(json.dumps(content) + "\n", "utf-8")


def cross_artifact(work: Path, say: Callable[[str], None]) -> Path:
    """The teacher as an int8 artifact in the work folder, exported at the first call."""
    artifact = work / "cross-teacher"
    if not artifact.exists():
        say("exporting the third teacher")
        with TemporaryDirectory() as folder, quiet():
            write_cross_teacher(cross_teacher_folder(), Path(folder), CONFIG)
            options = ExportOptions(name="ms-marco-MiniLM-L-12-v2", license="Apache-2.0")
            export_model(folder, artifact, options, report=lambda _: None)
    return artifact


def cross_logits(
    artifact: Callable[[], Path],
    queries: Sequence[str],
    passages: Sequence[str],
    rows: np.ndarray,
    owners: np.ndarray,
    threads: int,
    say: Callable[[str], None],
    file: Path | None = None,
) -> np.ndarray:
    """What it says of each list's query and its passages, float32 [lists, size].

    ``artifact`` gives the teacher's folder, and is asked where there is something to read. rows
    [lists, size]: positions in ``passages``. owners [lists]: positions in ``queries``. With
    ``file`` the logits are kept there for the next run, see ``kept_rows``.
    """
    count, size = rows.shape

    def of() -> str:
        read = (
            [queries[owner], *(passages[i] for i in row)]
            for owner, row in zip(owners, rows, strict=True)
        )
        return digest_of(list(read))

    with ExitStack() as opened:

        @cache  # a finished file needs none
        def reranker() -> Reranker:
            loaded = Reranker.load(artifact(), threads=threads, max_length=LONGEST)
            return opened.enter_context(loaded)

        def fill(found: np.ndarray, part: int) -> None:
            chosen = slice(part * LISTS_PER_CALL, (part + 1) * LISTS_PER_CALL)
            pairs = [
                (queries[owner], passages[passage])
                for owner, row in zip(owners[chosen], rows[chosen], strict=True)
                for passage in row
            ]
            found[chosen] = reranker().predict(pairs, scores="logits").reshape(-1, size)
            if part % REPORT_CALLS == 0:
                say(f"third teacher: {min(chosen.stop, count)} of {count} lists")

        parts = math.ceil(count / LISTS_PER_CALL)
        return kept_rows(file, (count, size), np.float32, parts, of, fill)
