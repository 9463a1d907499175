"""The whole graph: embeddings, layers, head."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from edge_rerank.artifact.architecture import Architecture

from ..parameters import Tensors
from .attention import Attention
from .builder import GraphBuilder
from .parts import Parts

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
    attention = Attention(parts, IDS, MASK, max_length)
    hidden = _embeddings(parts, attention)
    for layer in range(architecture.layers):
        hidden = _layer(parts, attention, hidden, layer)
    _head(parts, hidden)
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
    if architecture.positions.absolute:
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


def _layer(parts: Parts, attention: Attention, hidden: str, layer: int) -> str:
    graph, name = parts.graph, f"layers.{layer}"
    if layer == parts.architecture.layers - 1:
        # The head reads the first token alone, so the last layer computes no other.
        by_token = graph("Reshape", hidden, attention.by_token)
        first = graph("Gather", by_token, graph.scalar(0, np.int64), axis=1)
        context, hidden = attention.of_first_tokens(first, hidden, layer), first
    else:
        context = attention(hidden, layer)
    hidden = _residual(parts, context, hidden, f"{name}.attention.output", f"{name}.attention.norm")
    inner = parts.linear(hidden, f"{name}.ffn.up")
    inner = parts.activation(inner, parts.architecture.feed_forward.activation)
    return _residual(parts, inner, hidden, f"{name}.ffn.down", f"{name}.ffn.norm")


def _residual(parts: Parts, values: str, hidden: str, linear: str, norm: str) -> str:
    return parts.norm(parts.graph("Add", parts.linear(values, linear), hidden), norm)


def _head(parts: Parts, hidden: str) -> None:
    pooled = _dense(parts, hidden, "pooler", f"pooler_{LOGITS}")
    pooled = parts.activation(pooled, parts.architecture.head.activation)
    _dense(parts, pooled, "classifier", LOGITS)


def _dense(parts: Parts, values: str, name: str, output: str) -> str:
    bias = parts.parameter(f"{name}.bias")
    return parts.graph("Gemm", values, parts.table(name), bias, transB=1, name=output)
