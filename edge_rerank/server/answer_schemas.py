"""The schemas of answers and errors."""

from __future__ import annotations

from edge_rerank.server.schema import Schema, array, record

_TEI_ERRORS = ("Unhealthy", "Backend", "Overloaded", "Validation", "Empty", "Unauthorized")
_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_NUMBER: Schema = {"type": "number"}
_INDEX: Schema = {"type": "integer", "minimum": 0}
_OBJECT: Schema = {"type": "object"}


def answer_schemas() -> Schema:
    """Return the named schemas of answers and errors."""
    usage = record("prompt_tokens total_tokens", prompt_tokens=_WHOLE, total_tokens=_WHOLE)
    ranked = record(
        "id model results usage meta",
        id=_TEXT,
        model=_TEXT,
        results=array(_result()),
        usage=usage,
        meta=_OBJECT,
    )
    tei_result = record("index score", index=_INDEX, score=_NUMBER, text=_TEXT)
    score = record("index object score", index=_INDEX, object={"const": "score"}, score=_NUMBER)
    label = array(record("score label", score=_NUMBER, label=_TEXT))
    return {
        "RankAnswer": {"anyOf": [ranked, array(tei_result)]},
        "ScoreAnswer": record(
            "id model data usage", id=_TEXT, model=_TEXT, data=array(score), usage=usage
        ),
        "PredictAnswer": {"anyOf": [label, array(label)]},
        "Info": _OBJECT,
        "Health": record("status", status={"const": "ok"}),
        "Models": record("object data", object={"const": "list"}, data=array(_OBJECT)),
        **_errors(),
    }


def _result() -> Schema:
    span = record("start end score", start=_INDEX, end=_INDEX, score=_NUMBER)
    return record(
        "index relevance_score",
        index=_INDEX,
        relevance_score=_NUMBER,
        document=_OBJECT,
        logit=_NUMBER,
        tokens=_WHOLE,
        truncated={"type": "boolean"},
        windows=_WHOLE,
        window=record("start end", start=_INDEX, end=_INDEX),
        relevant_spans=array(span),
    )


def _errors() -> Schema:
    tei = record("error error_type", error=_TEXT, error_type={"enum": list(_TEI_ERRORS)})
    message = record("message detail code", message=_TEXT, detail=_TEXT, code=_TEXT)
    inner = record("message type code", message=_TEXT, type=_TEXT, code=_WHOLE)
    return {
        "AnyError": {"anyOf": [message, tei]},
        "TeiError": tei,
        "ScoreError": record("error", error=inner),
    }
