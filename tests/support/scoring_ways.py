"""The built-in model with another activation and a prompt before queries."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import Probe, load_artifact, write_manifest, write_probes

PROMPT = "Plants and what they eat: "


def write_other(folder: Path, *, activation: str, prompt: str = PROMPT) -> Path:
    """Write it; its probe pairs have the logits that it gives itself."""
    shutil.copytree(builtin_model(), folder)
    manifest = replace(load_artifact(folder).manifest, activation=activation, prompt=prompt)
    write_manifest(folder, manifest)
    with Reranker.load(folder, self_check=False) as reranker:
        pairs = [("plants", "Plants eat light."), ("plants", "Steel."), ("size", "ls -S sorts.")]
        scored = list(reranker.score(pairs))
    probes = [Probe(*pair, one.logit) for pair, one in zip(pairs, scored, strict=True)]
    write_probes(folder, tuple(probes))
    write_manifest(folder, manifest)
    return folder
