"""``edge-rerank serve``: an HTTP server that clients of hosted rerankers can point at."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.cli.common import add_loading_options
from edge_rerank.cli.failures import EXIT_CODES, EXIT_OK
from edge_rerank.cli.long_documents import add_long_document_options, long_document_arguments
from edge_rerank.cli.parser import number, whole_number
from edge_rerank.cli.streams import say
from edge_rerank.errors import InputError, MissingExtraError
from edge_rerank.installation import install_command
from edge_rerank.loading.background import Background
from edge_rerank.reranker import Reranker
from edge_rerank.windows.options import reading

_EPILOG = f"""\
examples:
  edge-rerank serve
  edge-rerank serve --model small=./mini --model large=./mxbai --port 9000
  EDGE_RERANK_API_KEYS=... edge-rerank serve --host 0.0.0.0

clients of Cohere, Jina, vLLM, infinity and text-embeddings-inference work unchanged; docs/server.md
has the lines for each of them.

{EXIT_CODES}

environment:
  EDGE_RERANK_API_KEYS  keys of which a request must carry one, separated by spaces
"""
_NAMED = re.compile(r"([A-Za-z0-9][A-Za-z0-9._/-]*)=(.+)", re.DOTALL)


def add_command(commands: Any) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "serve",
        help="serve HTTP to clients of Cohere, Jina, vLLM and text-embeddings-inference",
        description="Serve rerankers over HTTP, on this machine alone unless told otherwise.",
        epilog=_EPILOG,
    )
    _add_model_options(parser)
    _add_address_options(parser)
    _add_limit_options(parser)
    parser.add_argument("--no-page", action="store_true", help="leave out the pages for people")
    parser.add_argument("--no-log", action="store_true", help="write no line for each request")
    parser.add_argument(
        "--log-texts", action="store_true", help="put the texts of requests into the log"
    )
    parser.set_defaults(run=run)


def _add_model_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        action="append",
        metavar="[NAME=]DIR",
        help="model folder, and the name requests choose it by; may be repeated; the first one "
        "answers all other names (default: the model that comes with it)",
    )
    parser.add_argument(
        "--keep",
        type=number,
        metavar="SECONDS",
        help="drop models that have not been used for that long",
    )
    add_long_document_options(parser)
    add_loading_options(parser)


def _add_address_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1", help="default: 127.0.0.1; 0.0.0.0: all")
    parser.add_argument("--port", type=int, default=8080, help="default: 8080; 0: any that is free")
    parser.add_argument("--unix-socket", metavar="PATH", help="listen there, and at no port")
    parser.add_argument("--tls-certificate", metavar="FILE", help="PEM; serves HTTPS alone")
    parser.add_argument("--tls-key", metavar="FILE", help="PEM (default: the certificate's file)")
    parser.add_argument("--api-keys", metavar="FILE", help="let in only who has one of its keys")
    parser.add_argument(
        "--cors-origin",
        action="append",
        default=[],
        metavar="ORIGIN",
        help="let pages of this site call the server; may be repeated",
    )


def _add_limit_options(parser: argparse.ArgumentParser) -> None:
    numbers = (
        ("--max-waiting", whole_number, 512, "requests that wait at a time; more get status 429"),
        ("--max-connections", whole_number, 4096, "connections at a time"),
        ("--max-documents", whole_number, 10_000, "documents of a request"),
        ("--max-query", whole_number, 32_768, "characters of a query"),
        ("--max-document", whole_number, 1_000_000, "characters of a document"),
        ("--max-body-mb", number, 32.0, "megabytes of a request"),
        ("--timeout", number, 300.0, "seconds for a request, from its head to its answer"),
        (
            "--idle-timeout",
            number,
            30.0,
            "seconds for a request's head to come, an answer to be read",
        ),
        ("--drain", number, 8.0, "seconds for what was taken to be answered after SIGTERM"),
    )
    for name, kind, default, what in numbers:
        unit = "N" if kind is whole_number else "X"
        parser.add_argument(
            name, type=kind, default=default, metavar=unit, help=f"{what} (default: {default:g})"
        )


def run(options: argparse.Namespace) -> int:
    """Load the first model beside the server's own parts, and serve until told to stop."""
    if find_spec("uvicorn") is None or find_spec("starlette") is None:
        raise MissingExtraError(
            f"the server needs Starlette and uvicorn; install them: {install_command('server')}"
        )
    models = _models(options.model or [])
    load = _load_options(options)
    loading = Background(lambda: Reranker.load(models[0][1], **load))
    try:
        from edge_rerank.server import run as running
        from edge_rerank.server.log import Log
        from edge_rerank.server.service import Service

        settings = _settings(options, models, load)
        address = running.Address(
            options.host,
            options.port,
            options.unix_socket,
            options.tls_certificate,
            options.tls_key or options.tls_certificate,
        )
        listening = running.listen(address)
    except BaseException:
        loading.dismiss(lambda reranker: reranker.close())
        raise
    first = loading.result()
    info = first.describe()
    names = ", ".join(name for name, _ in models)
    line = (
        f"edge-rerank: serving {names} at {address.url(listening)} with engine {info.engine} "
        f"({info.kernel or info.version}), threads {info.threads}"
    )
    service = Service(settings, Log(requests=settings.log_requests), first)
    running.serve(service, address, listening, ready=lambda: say(line))
    return EXIT_OK


def _models(given: list[str]) -> list[tuple[str, Path | None]]:
    """Return names and folders; a folder without a name has its manifest's."""
    if not given:
        return [(load_artifact(builtin_model(), verify=False).manifest.name, None)]
    models: list[tuple[str, Path | None]] = []
    for value in given:
        match = None if Path(value).is_dir() else _NAMED.fullmatch(value)
        folder = Path(match[2] if match else value)
        manifest = load_artifact(folder, verify=False).manifest
        models.append((match[1] if match else manifest.name, folder))
    names = [name for name, _ in models]
    if len(set(names)) < len(names):
        raise InputError(
            f"two models have the same name ({', '.join(names)}); name them with --model NAME=DIR"
        )
    return models


def _load_options(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "threads": options.threads,
        "max_length": options.max_length,
        "engine": options.engine,
        "kernel": options.kernel,
        "verify": not options.skip_verify,
        "self_check": not options.skip_self_check,
    }


def _settings(
    options: argparse.Namespace, models: list[tuple[str, Path | None]], load: dict[str, Any]
) -> Any:
    from edge_rerank.server.keys import read_keys
    from edge_rerank.server.settings import MEBIBYTE, Limits, ModelSource, Settings

    for name in ("max_body_mb", "timeout", "idle_timeout"):
        if not getattr(options, name) > 0:
            option = "--" + name.replace("_", "-")
            raise InputError(f"{option} is {getattr(options, name):g}; expected more than 0")
    for name in ("keep", "drain"):
        value = getattr(options, name)
        if value is not None and not value >= 0:
            raise InputError(f"--{name} is {value:g}; expected 0 seconds or more")
    body = int(options.max_body_mb * MEBIBYTE)
    limits = replace(
        Limits(),
        waiting=options.max_waiting,
        connections=options.max_connections,
        documents=options.max_documents,
        query_characters=options.max_query,
        document_characters=options.max_document,
        body_bytes=body,
        waiting_bytes=max(Limits().waiting_bytes, body * 2),
        request_seconds=options.timeout,
        head_seconds=options.idle_timeout,
        drain_seconds=options.drain,
    )
    return Settings(
        models=tuple(ModelSource(name, path) for name, path in models),
        load=load,
        limits=limits,
        reading=reading(**long_document_arguments(options)),
        keep_seconds=options.keep,
        keys=read_keys(options.api_keys),
        cors_origins=tuple(options.cors_origin),
        page=not options.no_page,
        log_requests=not options.no_log,
        log_texts=options.log_texts,
    )
