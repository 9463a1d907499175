"""The schemas of requests and answers, with the bounds that this server really has."""

from __future__ import annotations

from typing import Any

from edge_rerank.server.settings import Limits

Schema = dict[str, Any]

TEI_ERRORS = ("Unhealthy", "Backend", "Overloaded", "Validation", "Empty", "Unauthorized")


def schemas(limits: Limits) -> Schema:
    """Return the named schemas."""
    text: Schema = {"type": "string"}
    whole, number, flag_only = {"type": "integer"}, {"type": "number"}, {"type": "boolean"}
    query: Schema = {"type": "string", "minLength": 1, "maxLength": limits.query_characters}
    one: Schema = {"type": "string", "maxLength": limits.query_characters}
    document: Schema = {"type": "string", "maxLength": limits.document_characters}
    named = {"type": "object", "required": ["text"], "properties": {"text": document}}
    many = {"minItems": 1, "maxItems": limits.documents}
    flag: Schema = {"anyOf": [{"type": ["boolean", "null"]}, {"enum": ["true", "false"]}]}
    count: Schema = {"type": ["integer", "null"], "minimum": 0}
    model: Schema = {"type": ["string", "null"], "maxLength": 1000}
    left_right = {"enum": ["left", "right", "Left", "Right", None]}
    message = _object("message detail code", message=text, detail=text, code=text)
    tei_types = {"enum": list(TEI_ERRORS)}
    tei_error = _object("error error_type", error=text, error_type=tei_types)
    usage = _object("prompt_tokens total_tokens", prompt_tokens=whole, total_tokens=whole)
    index = {"type": "integer", "minimum": 0}
    spans = _object(
        "",
        mode={"enum": ["enabled", "disabled", None]},
        threshold={"type": ["number", "null"]},
        max_spans=count,
    )
    span = _object("start end score", start=index, end=index, score=number)
    documents_request = _object(
        "query documents",
        query=query,
        documents={"anyOf": [document, _list({"anyOf": [document, named]}, **many)]},
        model=model,
        top_n=count,
        return_documents=flag,
        return_details={**flag, "description": "logit, tokens and truncated for each result"},
        raw_scores=flag,
        use_activation=flag,
        truncation=flag,
        truncation_side=left_right,
        max_tokens_per_doc=count,
        max_tokens_per_query=count,
        max_doc_length={"type": ["integer", "null"], "minimum": 1},
        truncate_prompt_tokens={"type": ["integer", "null"], "minimum": -1, "maximum": 0},
        rank_fields={
            "anyOf": [{"type": "null"}, _list(text)],
            "description": "fields of the objects whose values are read in place of `text`",
        },
        max_chunks_per_doc={
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "most windows that a long document is read in; the best counts",
        },
        long_documents={"enum": ["truncate", "windows", None]},
        relevant_spans={"anyOf": [{"type": "null"}, spans]},
        texts={"type": "null"},
    )
    tei_request = _object(
        "query texts",
        query=query,
        texts=_list({"anyOf": [document, {"type": "null"}]}, **many),
        model=model,
        top_n=count,
        raw_scores=flag,
        return_text=flag,
        truncate={**flag, "description": "false: texts that do not fit are an error, status 422"},
        truncation_direction=left_right,
    )
    result = _object(
        "index relevance_score",
        index=index,
        relevance_score=number,
        document={"type": "object"},
        logit=number,
        tokens=whole,
        truncated=flag_only,
        windows=whole,
        window=_object("start end", start=index, end=index),
        relevant_spans=_list(span),
    )
    tei_result = _object("index score", index=index, score=number, text=text)
    label = _list(_object("score label", score=number, label=text))
    pair = {
        "type": "array",
        "prefixItems": [one, document],
        "minItems": 2,
        "maxItems": 2,
        "items": False,
    }
    scored = _object("index object score", index=index, object={"const": "score"}, score=number)
    answer = _object(
        "id model results usage meta",
        id=text,
        model=text,
        results=_list(result),
        usage=usage,
        meta={"type": "object"},
    )
    several: Schema = {"anyOf": [document, _list(document, **many)]}
    score_request = _object(
        "queries documents", queries=one, documents=several, model=model, use_activation=flag
    )
    score_request["description"] = (
        "`text_1` and `text_2`, or `data_1` and `data_2`, are the same as `queries` and "
        "`documents`; the first may be a list as long as the second."
    )
    inner = _object("message type code", message=text, type=text, code=whole)
    return {
        "RankRequest": {"anyOf": [documents_request, tei_request]},
        "RankAnswer": {"anyOf": [answer, _list(tei_result)]},
        "ScoreRequest": score_request,
        "ScoreAnswer": _object(
            "id model data usage", id=text, model=text, data=_list(scored), usage=usage
        ),
        "PredictRequest": _object(
            "inputs",
            inputs={"anyOf": [pair, _list(pair, **many)]},
            model=model,
            raw_scores=flag,
            truncate=flag,
            truncation_direction=left_right,
        ),
        "PredictAnswer": {"anyOf": [label, _list(label)]},
        "Info": {"type": "object"},
        "Health": _object("status", status={"const": "ok"}),
        "Models": _object("object data", object={"const": "list"}, data=_list({"type": "object"})),
        "AnyError": {"anyOf": [message, tei_error]},
        "TeiError": tei_error,
        "ScoreError": _object("error", error=inner),
    }


def _object(required: str, **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(items: Schema, **bounds: int) -> Schema:
    return {"type": "array", "items": items, **bounds}
