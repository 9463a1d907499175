"""The shape of Cohere (v1, v2), Jina, vLLM and infinity: ``documents`` in, ``results`` out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edge_rerank.server.errors import InvalidError, RequestError
from edge_rerank.server.settings import Limits
from edge_rerank.server.shapes import fields
from edge_rerank.server.shapes.work import Cutting, Outcome, Spans, Work
from edge_rerank.windows.options import LONG_DOCUMENTS, LongDocuments, Windows

API_VERSION = "2"
SPAN_MODES = ("enabled", "disabled")
_TEXT = ("text",)
_THRESHOLD = 0.1
"""Least score of a span, as Cohere has it."""


def parse(body: Mapping[str, Any], limits: Limits) -> Work:
    """Understand a request; see Shape."""
    query = fields.query(body, limits)
    if isinstance(body.get("documents"), str):  # vLLM takes one alone
        body = {**body, "documents": [body["documents"]]}
    documents = fields.listed(body, "documents", limits)
    names = _rank_fields(body)
    texts = [
        _text(document, f"`documents[{index}]`", names, limits)
        for index, document in enumerate(documents)
    ]
    spans = _spans(body)
    cutting = _cutting(body)
    returned = fields.flag(body, "return_documents", False)
    return Work(
        pairs=[(query, text) for text in texts],
        model=fields.name_of_model(body),
        raw=_raw(body),
        top_n=fields.count_or_all(body, "top_n"),
        details=fields.flag(body, "return_details", False),
        documents=documents if returned else None,
        cutting=cutting,
        long_documents=_long_documents(body, spans, cutting.keep_end),
        spans=spans,
    )


def answer(work: Work, outcome: Outcome) -> dict[str, Any]:
    """Return the answer; see Shape.

    Without ``object``, which is optional everywhere: Jina says "list" and infinity "rerank", and
    infinity's own client fails at anything else.
    """
    tokens = outcome.tokens
    return {
        "id": outcome.request_id,
        "model": outcome.model,
        "results": [_result(index, work, outcome) for index in outcome.order(work)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "meta": {
            "api_version": {"version": API_VERSION},
            "billed_units": {"search_units": 1},
            "tokens": {"input_tokens": tokens, "output_tokens": 0},
        },
    }


def error(error: RequestError, request_id: str) -> tuple[int, Mapping[str, Any]]:
    """Return status and body of an error; see Shape.

    Cohere's clients read ``message``, and Jina's ``detail``, whatever the status.
    """
    message = str(error)
    body = {"message": message, "detail": message, "code": error.code, "request_id": request_id}
    return error.status, body


def _result(index: int, work: Work, outcome: Outcome) -> dict[str, Any]:
    result: dict[str, Any] = {"index": index, "relevance_score": outcome.score(index, work)}
    if work.documents is not None:
        # The key is left out where it was not asked for: some clients fail at null.
        document = work.documents[index]
        result["document"] = {"text": document} if isinstance(document, str) else document
    if work.details:
        pair = outcome.scored[index]
        result.update(logit=pair.logit, tokens=pair.tokens, truncated=pair.truncated)
        if pair.window is not None:
            window = {"start": pair.window.start, "end": pair.window.end}
            result.update(windows=len(pair.windows), window=window)
    if work.spans is not None:
        result["relevant_spans"] = [
            {"start": window.start, "end": window.end, "score": window.score}
            for window in outcome.windows(index, work.spans)
        ]
    return result


def _rank_fields(body: Mapping[str, Any]) -> Sequence[str]:
    names = body.get("rank_fields")
    if names is None or names == []:
        return _TEXT
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InvalidError("`rank_fields` must be a list of names of fields")
    return names


def _text(document: object, where: str, names: Sequence[str], limits: Limits) -> str:
    """Return a document's text: of an object, the named fields that it has, or its ``text``."""
    if isinstance(document, dict):
        values = [document[name] for name in names if document.get(name) is not None]
        if not values and document.get("text") is None:
            wanted = " or ".join(f"`{name[:50]}`" for name in names[:5])
            raise InvalidError(f"{where} has no field {wanted}; name others in `rank_fields`")
        if not values or names == _TEXT:
            document = document["text"]
        else:
            document = "\n".join(map(_written, values))
    return fields.text(document, where, limits.document_characters)


def _written(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _raw(body: Mapping[str, Any]) -> bool:
    """Read infinity's and vLLM's ways to ask for logits."""
    raw, activated = (
        fields.flag(body, "raw_scores", False),
        fields.flag(body, "use_activation", True),
    )
    return raw or not activated


def _spans(body: Mapping[str, Any]) -> Spans | None:
    """Read Cohere's ``relevant_spans``."""
    value = body.get("relevant_spans")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise InvalidError("`relevant_spans` must be an object, or null")
    mode = fields.choice(value, "mode", SPAN_MODES)
    threshold = value.get("threshold", _THRESHOLD)
    if threshold is None:
        threshold = _THRESHOLD
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float)):
        raise InvalidError("`threshold` of `relevant_spans` must be a number, or null")
    found = Spans(threshold, fields.count_or_all(value, "max_spans"))
    return None if mode == "disabled" else found


def _long_documents(
    body: Mapping[str, Any], spans: Spans | None, keep_end: bool
) -> LongDocuments | Windows | None:
    """Read Cohere's ``max_chunks_per_doc``, and our own ``long_documents``."""
    chosen = fields.choice(body, "long_documents", LONG_DOCUMENTS)
    chunks = fields.whole(body, "max_chunks_per_doc", least=1)
    if chosen == "truncate" and spans is not None:
        raise InvalidError("`relevant_spans` needs windows; leave out `long_documents`: truncate")
    if keep_end and (chosen == "windows" or (chunks or 1) > 1 or spans is not None):
        raise InvalidError("a document's end is to be kept, and windows read all of it; use one")
    if chosen == "truncate" or (chunks == 1 and spans is None):
        return "truncate"
    if chunks is not None:
        return Windows(max_windows=chunks)
    return None if chosen is None and spans is None else "windows"


def _cutting(body: Mapping[str, Any]) -> Cutting:
    """Read Cohere's, Jina's and vLLM's words for what becomes of long texts."""
    limit = fields.whole(body, "truncate_prompt_tokens", least=-1)
    if limit is not None and limit > 0:
        raise InvalidError(
            "`truncate_prompt_tokens` is not supported; use `max_tokens_per_doc` in its place"
        )
    document_tokens = fields.count_or_all(body, "max_tokens_per_doc")
    jinas = fields.whole(body, "max_doc_length", least=1)
    return Cutting(
        refuse=not fields.flag(body, "truncation", True),
        keep_end=fields.keeps_end(body, "truncation_side"),
        query_tokens=fields.count_or_all(body, "max_tokens_per_query"),
        document_tokens=document_tokens or jinas,
    )
