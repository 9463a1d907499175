"""The schemas of requests: the words and bounds of the code that reads them."""

from __future__ import annotations

from edge_rerank.server.schema import Schema, array, record
from edge_rerank.server.settings import Limits
from edge_rerank.server.shapes.documents import SPAN_MODES
from edge_rerank.server.shapes.fields import FLAG_WORDS, SIDES
from edge_rerank.server.shapes.score import NAMES
from edge_rerank.windows.options import LONG_DOCUMENTS

_FLAG: Schema = {"anyOf": [{"type": ["boolean", "null"]}, {"enum": list(FLAG_WORDS)}]}
_COUNT: Schema = {"type": ["integer", "null"], "minimum": 0}
_SIDE: Schema = {"enum": [*SIDES, None]}
_MODEL: Schema = {"type": ["string", "null"], "maxLength": 1000}
_NULL: Schema = {"type": "null"}


def request_schemas(limits: Limits) -> Schema:
    """Return the named schemas of requests."""
    document: Schema = {"type": "string", "maxLength": limits.document_characters}
    query: Schema = {"type": "string", "minLength": 1, "maxLength": limits.query_characters}
    many = {"minItems": 1, "maxItems": limits.documents}
    return {
        "RankRequest": {
            "anyOf": [_documents(query, document, many), _texts(query, document, many)]
        },
        "ScoreRequest": _score({**query, "minLength": 0}, document, many),
        "PredictRequest": _predict({**query, "minLength": 0}, document, many),
    }


def _documents(query: Schema, document: Schema, many: dict[str, int]) -> Schema:
    named = record("text", text=document)
    named["description"] = "`text` may be missing where `rank_fields` names a field that is there"
    request = record(
        "query documents",
        query=query,
        documents={"anyOf": [document, array({"anyOf": [document, named]}, **many)]},
        model=_MODEL,
        top_n=_COUNT,
        return_documents=_FLAG,
        return_details={**_FLAG, "description": "logit, tokens and truncated for each result"},
        raw_scores=_FLAG,
        use_activation=_FLAG,
        truncation=_FLAG,
        truncation_side=_SIDE,
        max_tokens_per_doc=_COUNT,
        max_tokens_per_query=_COUNT,
        max_doc_length={"type": ["integer", "null"], "minimum": 1},
        truncate_prompt_tokens={"type": ["integer", "null"], "minimum": -1, "maximum": 0},
        rank_fields={
            "anyOf": [_NULL, array({"type": "string"})],
            "description": "fields of the objects whose values are read in place of `text`",
        },
        max_chunks_per_doc={
            "type": ["integer", "null"],
            "minimum": 1,
            "description": "most windows that a long document is read in; the best counts",
        },
        long_documents={"enum": [*LONG_DOCUMENTS, None]},
        relevant_spans={"anyOf": [_NULL, _spans()]},
        texts=_NULL,
    )
    return {**request, "not": _contradictions()}


def _spans() -> Schema:
    return record(
        "",
        mode={"enum": [*SPAN_MODES, None]},
        threshold={"type": ["number", "null"]},
        max_spans=_COUNT,
    )


def _contradictions() -> Schema:
    """Return what a request with documents must not ask for at the same time."""
    off = record("mode", mode={"const": "disabled"})
    spans = {"relevant_spans": {"type": "object", "not": off}}
    left = {"truncation_side": {"enum": ["left", "Left"]}}
    together: list[Schema] = [
        {**spans, "long_documents": {"const": "truncate"}},
        {**spans, **left},
        {**left, "long_documents": {"const": "windows"}},
        {**left, "max_chunks_per_doc": {"type": "integer", "minimum": 2}},
    ]
    return {"anyOf": [record(" ".join(each), **each) for each in together]}


def _texts(query: Schema, document: Schema, many: dict[str, int]) -> Schema:
    return record(
        "query texts",
        query=query,
        texts=array({"anyOf": [document, _NULL]}, **many),
        model=_MODEL,
        top_n=_COUNT,
        return_text=_FLAG,
        **_as_tei(),
    )


def _predict(query: Schema, document: Schema, many: dict[str, int]) -> Schema:
    pair: Schema = {
        "type": "array",
        "prefixItems": [query, document],
        "minItems": 2,
        "maxItems": 2,
        "items": False,
    }
    return record(
        "inputs", inputs={"anyOf": [pair, array(pair, **many)]}, model=_MODEL, **_as_tei()
    )


def _as_tei() -> dict[str, Schema]:
    """Return the fields that text-embeddings-inference has on both of its routes."""
    refusing = {**_FLAG, "description": "false: texts that do not fit are an error, status 422"}
    return {"raw_scores": _FLAG, "truncate": refusing, "truncation_direction": _SIDE}


def _score(query: Schema, document: Schema, many: dict[str, int]) -> Schema:
    several: Schema = {"anyOf": [document, array(document, **many)]}
    one: Schema = {"anyOf": [query, array(query, minItems=1, maxItems=1)]}
    pairs = [
        record(f"{first} {second}", **{first: one, second: several}) for first, second in NAMES
    ]
    return {
        **record("", model=_MODEL, use_activation=_FLAG),
        "anyOf": pairs,
        "description": "The first of the two may be a list as long as the second, as well.",
    }
