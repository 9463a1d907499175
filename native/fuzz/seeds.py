"""Sound artifacts with random weights, of any shape: ``python -m native.fuzz.seeds FOLDER``.

Writes tiny ones of every kind into FOLDER/artifacts, the same as inputs of the fuzzer of the
loader into FOLDER/corpus, and inputs of that of the tokenizer into FOLDER/tokenizers. Of
an artifact only what the native engine reads is made (manifest.json and model.safetensors), with
numpy alone.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from native.fuzz.inputs import FuzzInput
from native.fuzz.tokenizers import tokenizer_inputs

Array = NDArray[Any]
_DTYPES = {"float32": "F32", "int8": "I8", "int32": "I32", "uint8": "U8"}


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's sizes, under the names of the manifest where there are such."""

    precision: str = "int8"
    max_length: int = 12
    layers: int = 1
    hidden_size: int = 16
    heads: int = 2
    intermediate_size: int = 16
    vocab_size: int = 8
    embedding_size: int = 16
    terms: tuple[str, ...] = ("p2c", "c2p")
    relative_attention: bool = True
    table_rows: int = 8
    """Of the relative embeddings."""
    positions: bool = False
    token_types: int = 0
    activation: str = "gelu"
    head_activation: str = "gelu"
    smooth: bool = False
    """Whether products have factors for their inputs."""
    mix: int = 0
    """How many vectors of a product's inputs are mixed, where so many fill them; 0: not said."""
    family: str = "deberta-v2"
    norm: str = "after"
    rotary: bool = False
    local: tuple[int, ...] = ()
    """Layers of local attention, which reaches as far as ``reach`` says."""
    reach: int = 2
    local_rotary: bool = False
    gated: bool = False
    steps: tuple[tuple[str, int], ...] | None = None
    """Of the head: ``dense`` and its outputs, or ``norm``; None is a head of one dense step."""
    pooling: str = "first"
    crossing: int = 0
    """Layers across the two texts of a pair, which the others read apart."""
    format_version: int = 2
    embedding_bits: int = 8
    """4 in an int8 model, or what is usual."""

    def manifest(self) -> dict[str, Any]:
        """Return what manifest.json holds, as far as the native engine reads it."""
        names = (
            *("layers", "hidden_size", "heads", "intermediate_size", "vocab_size"),
            "embedding_size",
        )
        return {
            "format": "edge-rerank-artifact",
            "format_version": self.format_version,
            "precision": self.precision,
            "max_length": self.max_length,
            **({"embedding_bits": 4} if self.embedding_bits == 4 else {}),
            "architecture": {
                **{name: getattr(self, name) for name in names},
                "head_size": self.hidden_size // self.heads,
                **(self._format_1() if self.format_version == 1 else self._format_2()),
            },
        }

    def _format_1(self) -> dict[str, Any]:
        return {
            "model_type": "deberta-v2",
            "type_vocab_size": self.token_types,
            "relative_attention": self.relative_attention,
            "pos_att_type": list(self.terms),
            "position_biased_input": self.positions,
            "max_position_embeddings": self.max_length,
            "hidden_act": self.activation,
            "pooler_hidden_act": self.head_activation,
            "layer_norm_eps": 1e-7,
        }

    def _format_2(self) -> dict[str, Any]:
        relative = {"terms": list(self.terms)} if self.relative_attention else None
        return {
            "family": self.family,
            "token_types": self.token_types,
            "norm": self.norm,
            "norm_epsilon": 1e-7,
            "score_terms": 1 + len(self.terms),
            "positions": {
                "absolute": self.max_length if self.positions else 0,
                "relative": relative,
                "rotary": self._rotary(),
            },
            "local_attention": (
                {"reach": self.reach, "layers": list(self.local)} if self.local else None
            ),
            "segments": self._segments(),
            "feed_forward": {
                "kind": "gated" if self.gated else "plain",
                "activation": self.activation,
            },
            "head": self._head(),
        }

    def _segments(self) -> dict[str, Any] | None:
        return {"crossing": self.crossing, "norm_epsilon": 1e-5} if self.crossing else None

    def _rotary(self) -> dict[str, Any] | None:
        local = 1e4 if self.local_rotary else None
        return {"base": 1.6e5, "local_base": local} if self.rotary else None

    def _head(self) -> dict[str, Any]:
        if self.steps is None:
            return {"kind": "dense", "activation": self.head_activation}
        dense = {"kind": "dense", "activation": self.head_activation}
        steps = [
            dense | {"outputs": outputs} if kind == "dense" else {"kind": kind, "epsilon": 1e-5}
            for kind, outputs in self.steps
        ]
        return {"kind": "steps", "pooling": self.pooling, "steps": steps}

    def tensors(self, seed: int = 1) -> dict[str, Array]:
        """Return random weights, in which every value is near those of a trained model."""
        return _Maker(self, seed).all()


XSMALL = Shape(
    max_length=512, layers=12, hidden_size=384, heads=6, intermediate_size=1536,
    vocab_size=2000, embedding_size=384, table_rows=512,
)  # fmt: skip
"""As wide and as deep as DeBERTa-v3-xsmall, with a small vocabulary."""

_MODERNBERT = Shape(
    family="modernbert", layers=3, hidden_size=32, embedding_size=32, intermediate_size=48,
    terms=(), relative_attention=False, norm="before", rotary=True, gated=True,
    local=(1, 2), reach=64, local_rotary=True, steps=(("dense", 32), ("norm", 0)),
)  # fmt: skip

_SEGMENTS = Shape(
    family="segment-bert", layers=2, crossing=1, max_length=40, hidden_size=32, embedding_size=32,
    intermediate_size=48, terms=(), relative_attention=False, positions=True, token_types=2,
    steps=(("dense", 32),), head_activation="tanh", pooling="mean",
)  # fmt: skip

_KINDS = {
    "plain": Shape(),
    "c2p": Shape(terms=("c2p",)),
    "p2c": Shape(terms=("p2c",)),
    "positions": Shape(relative_attention=False, positions=True),
    "types": Shape(token_types=2),
    "one-type": Shape(token_types=1, positions=True),
    "projected": Shape(embedding_size=32, positions=True),
    "wide": Shape(hidden_size=32, embedding_size=32, heads=1, intermediate_size=48),
    "small-heads": Shape(heads=4, layers=2),
    "odd-heads": Shape(hidden_size=48, embedding_size=48, heads=4),
    "relu": Shape(activation="relu", head_activation="tanh"),
    "gelu-new": Shape(activation="gelu_new", head_activation="relu"),
    "smooth": Shape(smooth=True, layers=2),
    "long": Shape(max_length=40, table_rows=16),
    "bert": Shape(
        family="bert",
        hidden_size=64,
        embedding_size=64,
        terms=(),
        relative_attention=False,
        positions=True,
        token_types=2,
        head_activation="tanh",
        layers=2,
    ),
    "modernbert": replace(_MODERNBERT, max_length=140),
    "modernbert-mean": replace(
        _MODERNBERT,
        max_length=40,
        pooling="mean",
        reach=3,
        local=(0, 2),
        local_rotary=False,
        steps=(("dense", 48), ("dense", 16), ("norm", 0)),
        head_activation="relu",
    ),
    "segments": replace(_SEGMENTS, smooth=True),
    "segments-more-across": replace(_SEGMENTS, layers=5, crossing=3, max_length=300),
    "norm-before": Shape(norm="before", layers=2, positions=True, smooth=True),
    "gated": Shape(gated=True, smooth=True),
    "mixed": Shape(smooth=True, mix=8, intermediate_size=128, layers=2),
    "mixed-all": Shape(smooth=True, mix=4, hidden_size=64, intermediate_size=192, layers=2),
    "mixed-gated": Shape(gated=True, mix=4, intermediate_size=192, activation="gelu_new"),
    "rotary": Shape(terms=(), relative_attention=False, rotary=True, head_activation="tanh"),
    "near": Shape(local=(0,), max_length=40, table_rows=16),
    "no-steps": Shape(steps=(), pooling="mean"),
    "four-bits": Shape(embedding_size=64, embedding_bits=4),
    "format-1": Shape(positions=True, token_types=2, format_version=1),
}

TINY = {
    f"{name}-{precision}": replace(shape, precision=precision)
    for name, shape in _KINDS.items()
    for precision in ("int8", "fp32")
    if not ((shape.smooth or shape.mix or shape.embedding_bits == 4) and precision == "fp32")
}
"""Shapes of artifacts of a few kilobytes: every kind of layer, term, embedding and activation."""


class _Maker:
    """Makes the tensors of one model; quantised ones by rounding, with any scale."""

    def __init__(self, shape: Shape, seed: int) -> None:
        self._shape = shape
        self._random = np.random.default_rng(seed)
        self._made: dict[str, Array] = {}

    def all(self) -> dict[str, Array]:
        shape, width = self._shape, self._shape.embedding_size
        self._words("embeddings.word", shape.vocab_size, width)
        if shape.positions:
            self._floats("embeddings.position.weight", (shape.max_length, width))
        if shape.token_types:
            self._floats("embeddings.type.weight", (shape.token_types, width))
        if width != shape.hidden_size:
            deviation = width**-0.5
            self._floats("embeddings.projection.weight", (width, shape.hidden_size), deviation)
        self._norm("embeddings.norm", shape.hidden_size)
        if shape.norm == "before":
            self._norm("final_norm", shape.hidden_size)
        if shape.rotary:
            half = shape.hidden_size // shape.heads // 2
            for name in ("rotary.", "rotary.local.")[: 2 if shape.local_rotary else 1]:
                turns = self._random.uniform(0, 1, half) ** 2
                self._made[f"{name}frequencies"] = turns.astype(np.float32)
        if shape.relative_attention and shape.terms:
            self._made["relative.bucket"] = self._buckets()
        for layer in range(shape.layers):
            self._layer(f"layers.{layer}.")
        size = self._head()
        self._floats("classifier.weight", (1, size), size**-0.5)
        self._floats("classifier.bias", (1,))
        if shape.crossing:
            self._floats("cosine.scale", (1,), 5.0)
        return self._made

    def _head(self) -> int:
        """Make the head's steps; returns the width of what the last one gives."""
        size, steps = self._shape.hidden_size, self._shape.steps
        pooler = steps is None
        for number, (kind, outputs) in enumerate((("dense", size),) if steps is None else steps):
            name = "pooler" if pooler else f"head.{number}"
            if kind == "norm":
                self._norm(name, size)
                continue
            self._weight(name, (outputs, size), (outputs, 1), size**-0.5)
            self._floats(f"{name}.bias", (outputs,), 0.1)
            size = outputs
        return size

    def _layer(self, name: str) -> None:
        shape, size, wide = self._shape, self._shape.hidden_size, self._shape.intermediate_size
        for part in ("query", "key", "value", "output"):
            self._product(f"{name}attention.{part}", size, size)
        self._product(f"{name}ffn.up", size, 2 * wide if shape.gated else wide)
        self._product(f"{name}ffn.down", wide, size)
        for part, count in (("attention", size), ("ffn.up", size), ("ffn.down", wide)):
            if shape.smooth and shape.precision == "int8":
                factors = self._random.uniform(0.5, 2, count)
                self._made[f"{name}{part}.smooth"] = factors.astype(np.float32)
            if shape.mix and shape.precision == "int8" and count % (16 * shape.mix) == 0:
                self._made[f"{name}{part}.mix"] = np.array([shape.mix], np.int32)
        if shape.norm == "after" or name != "layers.0.":
            self._norm(f"{name}attention.norm", size)
        self._norm(f"{name}ffn.norm", size)
        if shape.relative_attention:
            for term, part in (("c2p", "key"), ("p2c", "query")):
                if term in shape.terms:
                    extents = (shape.table_rows, size)
                    self._weight(f"{name}relative.{part}", extents, (shape.table_rows, shape.heads))

    def _words(self, name: str, words: int, width: int) -> None:
        if self._shape.embedding_bits == 8:
            self._weight(name, (words, width), (words, 1))
            return
        frequent = max(1, words // 16)
        values = np.clip(np.rint(self._random.normal(0, 40, (frequent, width))), -127, 127)
        self._made[f"{name}.frequent"] = values.astype(np.int8)
        others = words - frequent
        codes = self._random.integers(0, 256, (others, width // 2))
        self._made[f"{name}.weight"] = codes.astype(np.uint8)
        groups = self._random.integers(-127, 128, (others, width // 32))
        self._made[f"{name}.group"] = groups.astype(np.int8)
        self._made[f"{name}.levels"] = np.linspace(-127, 112, 16).astype(np.int8)
        scales = self._random.uniform(0.8, 1.25, (words, 1)) / 4000
        self._made[f"{name}.scale"] = scales.astype(np.float32)

    def _product(self, name: str, inputs: int, outputs: int) -> None:
        self._weight(name, (inputs, outputs), (outputs,), 2 * inputs**-0.5)
        self._floats(f"{name}.bias", (outputs,), 0.1)

    def _weight(
        self, name: str, shape: tuple[int, int], scales: tuple[int, ...], deviation: float = 1.0
    ) -> None:
        if self._shape.precision == "fp32":
            self._floats(f"{name}.weight", shape, deviation)
            return
        values = np.clip(np.rint(self._random.normal(0, 40, shape)), -127, 127)
        self._made[f"{name}.weight"] = values.astype(np.int8)
        spread = self._random.uniform(0.8, 1.25, scales) * deviation / 40
        self._made[f"{name}.scale"] = spread.astype(np.float32)

    def _norm(self, name: str, size: int) -> None:
        self._made[f"{name}.weight"] = self._random.uniform(0.5, 1.5, size).astype(np.float32)
        self._floats(f"{name}.bias", (size,), 0.1)

    def _floats(self, name: str, shape: tuple[int, ...], deviation: float = 1.0) -> None:
        self._made[name] = self._random.normal(0, deviation, shape).astype(np.float32)

    def _buckets(self) -> Array:
        middle = self._shape.table_rows // 2
        distances = np.arange(self._shape.max_length - 1, -self._shape.max_length - 1, -1)
        return np.clip(distances + middle, 0, self._shape.table_rows - 1).astype(np.int32)


def _misaligning(size: int) -> tuple[bool, bool]:
    """Put last what leaves its successors unaligned, to 64 bytes or even to a float's 4."""
    return size % 64 != 0, size % 4 != 0


def weights_parts(tensors: dict[str, Array]) -> tuple[bytes, bytes]:
    """Return the header and the data of model.safetensors."""
    ordered = sorted(tensors, key=lambda name: (_misaligning(tensors[name].nbytes), name))
    header, position = {}, 0
    for name in ordered:
        end = position + tensors[name].nbytes
        header[name] = {
            "dtype": _DTYPES[tensors[name].dtype.name],
            "shape": list(tensors[name].shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % 64)
    return text, b"".join(tensors[name].tobytes() for name in ordered)


def write_artifact(folder: Path, shape: Shape, seed: int = 1) -> Path:
    """Write what the native engine reads of an artifact into a new folder, and give it."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps(shape.manifest()), "utf-8")
    header, data = weights_parts(shape.tensors(seed))
    length = len(header).to_bytes(8, "little")
    (folder / "model.safetensors").write_bytes(length + header + data)
    return folder


def fuzz_input(shape: Shape, flags: int) -> FuzzInput:
    """Return a tiny artifact as an input of the loader's fuzzer."""
    manifest = json.dumps(shape.manifest(), separators=(",", ":")).encode()
    return FuzzInput(flags, manifest, *weights_parts(shape.tensors()))


def main() -> None:
    """Write the artifacts and the corpora."""
    parser = argparse.ArgumentParser(prog="python -m native.fuzz.seeds", description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    corpus = folder / "corpus"
    corpus.mkdir(parents=True)
    for number, (name, shape) in enumerate(TINY.items()):
        write_artifact(folder / "artifacts" / name, shape)
        kernel_flag = 2 * (number // 2 % 4)
        (corpus / name).write_bytes(fuzz_input(shape, kernel_flag).to_bytes())
    tokenizers = folder / "tokenizers"
    tokenizers.mkdir()
    for name, content in tokenizer_inputs().items():
        (tokenizers / name).write_bytes(content)


if __name__ == "__main__":
    main()
