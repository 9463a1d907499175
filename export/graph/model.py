"""The whole graph: embeddings, layers, head."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from edge_rerank.artifact.architecture import Architecture, NormStep

from ..parameters import Tensors
from .attention import Attention
from .builder import GraphBuilder
from .parts import Parts
from .texts import Texts

IDS, MASK, TYPES, LOGITS = "input_ids", "attention_mask", "token_type_ids", "logits"


def build_model(tensors: Tensors, architecture: Architecture, max_length: int) -> ModelProto:
    """Build the graph that computes logits from token ids.

    Inputs are int64 ``[batch, sequence]``: ``input_ids``, ``attention_mask`` and, where the
    model has token types, ``token_type_ids``; ``sequence`` is at most ``max_length``. The output
    is ``logits``, float32 ``[batch, 1]``. Products are int8 where ``tensors`` has scales for
    them. Initializers bear the names of ``tensors``.
    """
    graph = GraphBuilder()
    parts = Parts(graph, tensors, architecture)
    texts = None
    if architecture.segments:
        texts = Texts(graph, MASK, TYPES, architecture.heads, architecture.hidden_size)
    attention = Attention(parts, IDS, MASK, max_length, texts)
    hidden = _embeddings(parts, attention)
    layer_of = _layer_before if architecture.norm == "before" else _layer_after
    for layer in range(architecture.encoding_layers):
        hidden = layer_of(parts, attention, hidden, layer)
    if architecture.norm == "before":
        hidden = parts.norm(hidden, "final_norm")
    if texts:
        _compare(parts, attention, texts, hidden)
    elif architecture.head.pooling == "mean":
        _head(parts, _mean(parts, attention, hidden), LOGITS)
    else:
        _head(parts, hidden, LOGITS)
    names = [IDS, MASK] + ([TYPES] if architecture.token_types else [])
    shape = ["batch", "sequence"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in names]
    output = helper.make_tensor_value_info(LOGITS, TensorProto.FLOAT, ["batch", 1])
    return graph.model(f"{architecture.family}_reranker".replace("-", "_"), inputs, [output])


def _embeddings(parts: Parts, attention: Attention) -> str:
    graph, architecture = parts.graph, parts.architecture
    vector = graph.integers(-1)
    hidden = parts.rows("embeddings.word", graph("Reshape", IDS, vector))
    if architecture.token_types:
        types = parts.rows("embeddings.type", graph("Reshape", TYPES, vector))
        hidden = graph("Add", hidden, types)
    if attention.texts:
        places = graph("Reshape", attention.texts.positions, vector)
        hidden = graph("Add", hidden, parts.rows("embeddings.position", places))
    elif architecture.positions.absolute:
        positions = graph(
            "Slice",
            parts.parameter("embeddings.position.weight"),
            graph.integers(0),
            attention.length,
            graph.integers(0),
        )
        width = graph.integers(-1, architecture.embedding_size)
        shape = graph(
            "Concat", graph("Shape", IDS), graph.integers(architecture.embedding_size), axis=0
        )
        hidden = graph("Add", graph("Reshape", hidden, shape), positions)
        hidden = graph("Reshape", hidden, width)
    if architecture.embedding_size != architecture.hidden_size:
        hidden = graph("MatMul", hidden, parts.parameter("embeddings.projection.weight"))
    return parts.norm(hidden, "embeddings.norm")


def _layer_after(parts: Parts, attention: Attention, hidden: str, layer: int) -> str:
    return _finish_after(parts, *_context(parts, attention, hidden, hidden, layer), layer)


def _finish_after(parts: Parts, context: str, hidden: str, layer: int) -> str:
    name, epsilon = f"layers.{layer}", parts.architecture.epsilon_of(layer)
    hidden = _sum(parts, context, hidden, f"{name}.attention.output")
    hidden = parts.norm(hidden, f"{name}.attention.norm", epsilon)
    inner = _sum(parts, _inner(parts, hidden, name), hidden, f"{name}.ffn.down")
    return parts.norm(inner, f"{name}.ffn.norm", epsilon)


def _layer_before(parts: Parts, attention: Attention, hidden: str, layer: int) -> str:
    name = f"layers.{layer}"
    read = parts.norm(hidden, f"{name}.attention.norm") if layer else hidden
    context, hidden = _context(parts, attention, read, hidden, layer)
    hidden = _sum(parts, context, hidden, f"{name}.attention.output")
    inner = _inner(parts, parts.norm(hidden, f"{name}.ffn.norm"), name)
    return _sum(parts, inner, hidden, f"{name}.ffn.down")


def _context(
    parts: Parts, attention: Attention, read: str, hidden: str, layer: int
) -> tuple[str, str]:
    """Return what attention makes of ``read``, and the rows of ``hidden`` that it is for."""
    graph = parts.graph
    if layer != parts.architecture.layer_of_first_tokens:
        return attention(read, layer), hidden
    # The head reads the first token alone, so the last layer computes no other.
    position = graph.scalar(0, np.int64)
    firsts = {
        values: graph("Gather", graph("Reshape", values, attention.by_token), position, axis=1)
        for values in dict.fromkeys((read, hidden))
    }
    return attention.of_first_tokens(firsts[read], read, layer), firsts[hidden]


def _inner(parts: Parts, values: str, name: str) -> str:
    feed_forward = parts.architecture.feed_forward
    inner = parts.linear(values, f"{name}.ffn.up")
    if feed_forward.kind == "plain":
        return parts.activation(inner, feed_forward.activation)
    half, gate = parts.graph.halves(inner)
    return parts.graph("Mul", parts.activation(half, feed_forward.activation), gate)


def _sum(parts: Parts, values: str, hidden: str, linear: str) -> str:
    return parts.graph("Add", parts.linear(values, linear), hidden)


def _mean(parts: Parts, attention: Attention, hidden: str) -> str:
    """Return the mean of each pair's rows, padding left out.

    As a product with the mask: ReduceSum adds up one pair in another order than several, and a
    score would depend on its company.
    """
    graph = parts.graph
    weights = graph("Cast", attention.mask, to=TensorProto.FLOAT)
    by_token = graph("Reshape", hidden, attention.by_token)
    axis = graph.integers(1)
    total = graph("Squeeze", graph("MatMul", graph("Unsqueeze", weights, axis), by_token), axis)
    return graph("Div", total, graph("ReduceSum", weights, axis, keepdims=1))


def _compare(parts: Parts, attention: Attention, texts: Texts, hidden: str) -> None:
    """Add what the layers across find to the cosine of the two texts."""
    graph, architecture = parts.graph, parts.architecture
    by_token = graph("Reshape", hidden, attention.by_token)
    rows = texts.first_rows(by_token)
    for layer in range(architecture.encoding_layers, architecture.layers):
        rows = _finish_after(parts, attention.across(rows, hidden, layer), rows, layer)
    correction = _head(parts, texts.mean_of_first(rows), f"correction_{LOGITS}")
    cosine = graph("Mul", texts.cosine(by_token), parts.parameter("cosine.scale"))
    graph("Add", cosine, correction, name=LOGITS)


def _head(parts: Parts, values: str, output: str) -> str:
    """Make the head, and call what it gives ``output``."""
    head = parts.architecture.head
    for number, step in enumerate(head.steps):
        name = "pooler" if head.kind == "dense" else f"head.{number}"
        if isinstance(step, NormStep):
            values = parts.norm(values, name, step.epsilon)
            continue
        values = _dense(parts, values, name, f"{name}_{LOGITS}")
        if step.activation is not None:
            values = parts.activation(values, step.activation)
    return _dense(parts, values, "classifier", output)


def _dense(parts: Parts, values: str, name: str, output: str) -> str:
    bias = parts.parameter(f"{name}.bias")
    return parts.graph("Gemm", values, parts.table(name), bias, transB=1, name=output)
