"""The engines that are measured: what each runs from, where, and how it is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .conversions import (
    ARTIFACT_FP32,
    ARTIFACT_INT8,
    CHECKPOINT,
    NOTHING,
    OPENVINO_FP32,
    OPENVINO_INT8,
    OPTIMUM_FP32,
    SENTENCE_TRANSFORMERS_INT8,
    Conversion,
    optimum_int8,
)
from .environments import OWN

PACKED, PLANNED, ARRIVAL, SORTED = "packed", "planned", "arrival", "sorted"


@dataclass(frozen=True, slots=True)
class Batching:
    """How an engine cuts pairs into batches, which decides how much padding it computes."""

    order: str
    """``packed``: no padding; ``planned``: by our own plan; ``arrival``; ``sorted`` by length."""
    rows: int = 0
    """Pairs of a batch, for the last two."""

    def __str__(self) -> str:
        """Say it as the report does."""
        if self.order in (PACKED, PLANNED):
            return self.order
        if not self.rows:
            return "its own"
        return f"{self.order}, {self.rows}"


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One way of scoring pairs."""

    name: str
    label: str
    environment: str
    adapter: str
    """Module of ``worker`` that runs it."""
    model: Conversion
    precision: str
    """Of the linear products: ``int8``, ``fp32`` or ``bf16``."""
    batching: Batching
    needs: tuple[str, ...]
    """Distributions that have to be installed to run it."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    same_model: bool = True
    """False for one that only runs a model of its own."""
    of_families: bool = False
    """Measured with the shapes of other families than DeBERTa."""
    core: bool = False
    """Measured in every workload; the others in a few."""
    starts_like: str = ""
    """Another engine whose process this one's differs from in numbers alone: no start of its own
    is measured."""

    @property
    def main(self) -> bool:
        """True for the engines that are to have the most rounds: ours, and the core peers."""
        return self.core or self.environment == OWN


_BATCHED = ("onnxruntime", "tokenizers", "numpy")


def _own(name: str, label: str, engine: str, **more: Any) -> EngineSpec:
    kernel = more.pop("kernel", None)
    precision = more.pop("precision", "int8")
    return EngineSpec(
        name,
        label,
        OWN,
        "own",
        ARTIFACT_INT8 if precision == "int8" else ARTIFACT_FP32,
        precision,
        Batching(PACKED if engine == "native" else PLANNED),
        ("edge-rerank",),
        {"engine": engine, "kernel": kernel},
        **more,
    )


def _onnx(
    name: str, label: str, model: Conversion, order: str, rows: int, **more: Any
) -> EngineSpec:
    precision = "fp32" if model is OPTIMUM_FP32 else "int8"
    file = "model.onnx" if model is OPTIMUM_FP32 else "model_quantized.onnx"
    settings = {"file": file, "order": order, "rows": rows}
    cut = Batching(order, rows)
    return EngineSpec(
        name, label, "torch", "onnx_file", model, precision, cut, _BATCHED, settings, **more
    )


def _openvino(name: str, label: str, precision: str, hint: str | None, **more: Any) -> EngineSpec:
    model = OPENVINO_INT8 if precision == "int8" else OPENVINO_FP32
    settings = {"precision": hint, "order": SORTED, "rows": 16}
    needs = ("openvino", "tokenizers", "numpy")
    cut = Batching(SORTED, 16)
    return EngineSpec(
        name, label, "openvino", "openvino_model", model, precision, cut, needs, settings, **more
    )


BASELINE = "edge-rerank"
"""The engine that all others are compared with."""
REFERENCE = "transformers"
"""The engine whose logits are taken as exact: the checkpoint in torch, in fp32."""
SECOND_REFERENCE = "edge-rerank-fp32"
"""Where torch is not installed."""

CATALOGUE: tuple[EngineSpec, ...] = (
    _own(BASELINE, "edge-rerank", "native", core=True, of_families=True),
    _own(
        "edge-rerank-onnxruntime",
        "edge-rerank, engine onnxruntime",
        "onnxruntime",
        core=True,
        of_families=True,
    ),
    _own(
        "edge-rerank-avx2",
        "edge-rerank, kernel avx2",
        "native",
        kernel="avx2",
        starts_like=BASELINE,
    ),
    _own(SECOND_REFERENCE, "edge-rerank, fp32 artifact", "native", precision="fp32"),
    EngineSpec(
        REFERENCE,
        "transformers, torch fp32",
        "torch",
        "torch_model",
        CHECKPOINT,
        "fp32",
        Batching(ARRIVAL, 32),
        ("torch", "transformers"),
        {"rows": 32},
        of_families=True,
    ),
    EngineSpec(
        "sentence-transformers",
        "sentence-transformers, torch fp32",
        "torch",
        "sentence_transformers_model",
        CHECKPOINT,
        "fp32",
        Batching(SORTED, 32),
        ("sentence-transformers",),
        {"backend": "torch"},
    ),
    EngineSpec(
        "sentence-transformers-onnx",
        "sentence-transformers, ONNX int8",
        "torch",
        "sentence_transformers_model",
        SENTENCE_TRANSFORMERS_INT8,
        "int8",
        Batching(SORTED, 32),
        ("sentence-transformers", "optimum-onnx", "onnxruntime"),
        {"backend": "onnx", "file": "onnx/model_qint8_avx512_vnni.onnx"},
        of_families=True,
    ),
    _onnx("optimum-fp32", "Optimum fp32", OPTIMUM_FP32, SORTED, 16),
    _onnx(
        "optimum-int8-arrival",
        "Optimum int8, avx512_vnni, per tensor, arrival order",
        optimum_int8("avx512_vnni", per_channel=False),
        ARRIVAL,
        32,
        starts_like="optimum-int8",
    ),
    _onnx(
        "optimum-int8",
        "Optimum int8, avx512_vnni, per tensor",
        optimum_int8("avx512_vnni", per_channel=False),
        SORTED,
        16,
        of_families=True,
        core=True,
    ),
    _onnx(
        "optimum-int8-per-channel",
        "Optimum int8, avx512_vnni, per channel",
        optimum_int8("avx512_vnni", per_channel=True),
        SORTED,
        16,
        starts_like="optimum-int8",
    ),
    _onnx(
        "optimum-avx2",
        "Optimum int8, avx2, per tensor",
        optimum_int8("avx2", per_channel=False),
        SORTED,
        16,
        starts_like="optimum-int8",
    ),
    _onnx(
        "optimum-avx2-per-channel",
        "Optimum int8, avx2, per channel",
        optimum_int8("avx2", per_channel=True),
        SORTED,
        16,
        starts_like="optimum-int8",
    ),
    _openvino("openvino-fp32", "OpenVINO fp32", "fp32", "f32"),
    _openvino("openvino-bf16", "OpenVINO bf16", "bf16", "bf16", starts_like="openvino-fp32"),
    _openvino("openvino-int8", "OpenVINO int8 (NNCF)", "int8", None, core=True, of_families=True),
    EngineSpec(
        "fastembed",
        "fastembed, Optimum's int8 as custom model",
        "light",
        "fastembed_model",
        optimum_int8("avx512_vnni", per_channel=False),
        "int8",
        Batching(ARRIVAL, 64),
        ("fastembed",),
        {"file": "model_quantized.onnx"},
    ),
    EngineSpec(
        "flashrank",
        "FlashRank, its own ms-marco-MiniLM-L-12-v2",
        "light",
        "flashrank_model",
        NOTHING,
        "int8",
        Batching(ARRIVAL, 0),
        ("FlashRank",),
        {"name": "ms-marco-MiniLM-L-12-v2"},
        same_model=False,
    ),
)


def engine(name: str) -> EngineSpec:
    """Return the engine of that name; raises KeyError."""
    return {spec.name: spec for spec in CATALOGUE}[name]
