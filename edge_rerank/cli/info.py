"""``edge-rerank info``: what a model folder is, and what this machine will make of it."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from edge_rerank.cli.common import (
    add_loading_options,
    add_model_argument,
    open_reranker,
    path_text,
    to_json,
)
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.sections import print_section, readable
from edge_rerank.cli.streams import say
from edge_rerank.errors import InputError
from edge_rerank.machine.cpu import read_cpu
from edge_rerank.machine.threads import ENVIRONMENT_VARIABLE, usable_threads
from edge_rerank.reranker import Reranker
from edge_rerank.verification.probe_check import check_probes

_VARIABLES = (ENVIRONMENT_VARIABLE, "EDGE_RERANK_KERNEL", "EDGE_RERANK_TOKENIZER")
_EPILOG = f"""\
examples:
  edge-rerank info
  edge-rerank info ./my-model --json

{EXIT_CODES}
"""


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "info",
        help="show what a model folder is and what this CPU will use",
        description="Show what a model folder is, check it, and show what this CPU will use.",
        epilog=_EPILOG,
    )
    add_model_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_loading_options(parser)
    parser.set_defaults(run=run, prints=True)


def run(options: argparse.Namespace) -> int:
    """Open the model, which checks it, and describe it."""
    options.skip_self_check = True  # all probe pairs are scored below, and shown
    environment = {name: os.environ[name] for name in _VARIABLES if os.environ.get(name)}
    with _open_whatever_is_set(options) as reranker:
        facts = gather(reranker, verified=not options.skip_verify)
    if options.json:
        print(to_json({**facts, "environment": environment}))
    else:
        _print(facts)
        print_section("environment", environment)
    return EXIT_OK


def _open_whatever_is_set(options: argparse.Namespace) -> Reranker:
    """Open the model; a variable that stops every other command is named, and left out here."""
    for _ in _VARIABLES:
        try:
            return open_reranker(options)
        except InputError as error:
            name = str(error).partition(" ")[0]
            if name not in _VARIABLES or os.environ.pop(name, None) is None:
                raise
            say(f"edge-rerank: {error}; shown here as if it were not set")
    return open_reranker(options)


def gather(reranker: Reranker, *, verified: bool) -> dict[str, Any]:
    """Collect everything that is shown, as plain JSON values."""
    cpu, artifact, check = read_cpu(), reranker.artifact, check_probes(reranker)
    total = sum(record.size for record in artifact.manifest.files.values())
    return {
        "path": path_text(artifact.path),
        "manifest": artifact.manifest.to_json(),
        "size": total,
        "checksums": "verified" if verified else "not checked",
        "cpu": {**asdict(cpu), "saturates": cpu.saturates, "usable_threads": usable_threads()},
        "engine": reranker.describe().to_json(),
        "probes": None if check is None else check.to_json(),
    }


def _print(facts: dict[str, Any]) -> None:
    manifest, cpu, engine = facts["manifest"], facts["cpu"], facts["engine"]
    shape, source = manifest["architecture"], manifest["source"]
    features = cpu["features"]
    prompt = manifest["prompt"]
    print_section(
        "model",
        {
            "name": manifest["name"],
            "folder": facts["path"],
            "source": source["model"] + (f" @ {source['revision']}" if source["revision"] else ""),
            "weights": f"SHA-256 {source['checkpoint_sha256']}",
            "license": manifest["license"] or "not stated",
            "created": manifest["created"],
            "precision": _precision(manifest),
            "max length": f"{manifest['max_length']} tokens",
            "scores": _scores(manifest),
            **({"before queries": json.dumps(prompt, ensure_ascii=False)} if prompt else {}),
            "shape": f"{shape['family']}, {shape['layers']} layers, {shape['hidden_size']} "
            f"wide, {shape['heads']} heads, vocabulary of {shape['vocab_size']:,}",
            "size": f"{facts['size'] / 1e6:,.1f} MB in {len(manifest['files'])} files",
            "checksums": facts["checksums"],
        },
    )
    files = {name: f"{file['size']:,} bytes" for name, file in manifest["files"].items()}
    print_section("files", files)
    print_section("quantization", readable(manifest["quantization"] or {}))
    print_section("parity with the fp32 model", readable(manifest["parity"]))
    print_section("made with", manifest["tools"])
    print_section(
        "this machine",
        {
            "processor": f"{cpu['model'] or 'unknown'} ({cpu['machine']})",
            "features": "unknown" if features is None else " ".join(features) or "none of note",
            "engine": f"{engine['name']} {engine['version']}",
            "8-bit products": _products(cpu, manifest, engine["name"]),
            "threads": f"{engine['threads']} of {cpu['usable_threads']} usable",
            **readable(engine["details"]),
            "probe pairs": _probes(facts["probes"]),
        },
    )


def _precision(manifest: Mapping[str, Any]) -> str:
    precision = str(manifest["precision"])
    bits = manifest["embedding_bits"]
    return f"{precision}, words of {bits} bits" if bits == 4 else precision


def _scores(manifest: Mapping[str, Any]) -> str:
    scores = "logits" if manifest["activation"] == "identity" else str(manifest["activation"])
    if label := manifest["relevant_label"]:
        scores += f", the logit being that of {label} less that of the other label"
    return scores


def _products(cpu: Mapping[str, Any], manifest: Mapping[str, Any], engine: str) -> str:
    if manifest["precision"] != "int8":
        return "not used by this model"
    if engine == "native":
        return "exact, as on every processor"
    if cpu["saturates"]:
        return "may saturate on this processor: ONNX Runtime's precise, slower mode is on"
    return "exact on this processor"


def _probes(check: Mapping[str, Any] | None) -> str:
    if check is None:
        return "none that fit"
    return (
        f"{check['pairs']} scored here: logits differ from the fp32 model's by "
        f"{check['rms_error']:.4f} rms, {check['max_error']:.4f} at most"
    )
