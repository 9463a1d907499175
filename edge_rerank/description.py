"""What runs a model, and how it was set up: the names of the choices, and frozen values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

EngineName = Literal["native", "onnxruntime"]
EngineChoice = Literal["auto", "native", "onnxruntime"]
TokenizerName = Literal["native", "tokenizers"]
TokenizerChoice = Literal["auto", "native", "tokenizers"]
ThreadsChoice = Literal["auto"]
Scores = Literal["sigmoid", "logits"]
Kernel = Literal[
    "amx_int8",
    "avx512_vnni",
    "avx_vnni",
    "avx2",
    "sse41",
    "neon_i8mm",
    "neon_dotprod",
    "neon",
    "scalar",
]
"""The native engine's kernels, of which each processor runs some; ``scalar`` runs everywhere."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What the native engine holds."""

    weights_bytes: int
    """The weights, as the kernel wants them, and tables as the file has them."""
    buffers_bytes: int
    """Working memory, allocated once."""
    mapped_bytes: int
    """Size of the weights file if it is mapped, of which only used pages are read; or 0."""


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of the native engine's calls so far went: seconds, over all threads."""

    embedding: float
    products: float
    attention: float
    rest: float
    """Quantisation, norms, activation functions, head."""
    waiting: float
    """Threads waiting for one another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine is and how it was set up; None is what this engine does not have."""

    engine: EngineName
    version: str
    """The native library's, or ONNX Runtime's."""
    why: str
    """Why it is this engine."""
    threads: int
    max_length: int
    """Most tokens of a pair, special tokens included."""
    kernel: Kernel | None = None
    kernel_why: str | None = None
    kernels: tuple[Kernel, ...] | None = None
    """Those that this processor runs, fastest first."""
    tokens_in_flight: int | None = None
    """Tokens that the native engine works on at once."""
    token_budget: int | None = None
    """Most padded tokens of a batch for ONNX Runtime."""
    careful_products: bool | None = None
    """Whether ONNX Runtime computes 8-bit products in its slower way, which cannot saturate."""
    memory: Memory | None = None
    timings: Timings | None = None
    multiply_adds: float | None = None
    """How many the products of the calls so far took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Description(EngineInfo):
    """What a reranker runs on: its engine and its tokenizer."""

    tokenizer: TokenizerName
    tokenizer_why: str
    """Why it is this tokenizer."""

    @classmethod
    def of(cls, engine: EngineInfo, tokenizer: TokenizerName, why: str) -> Description:
        """Join what an engine says of itself with its tokenizer."""
        values = {field.name: getattr(engine, field.name) for field in fields(EngineInfo)}
        return cls(**values, tokenizer=tokenizer, tokenizer_why=why)

    def to_json(self) -> dict[str, Any]:
        """Return name, version and threads, and all the rest that there is as ``details``."""
        values = asdict(self)
        head = {"name": values.pop("engine")}
        head |= {name: values.pop(name) for name in ("version", "threads")}
        details: dict[str, Any] = {}
        for name in ("tokenizer", "tokenizer_why", *values):
            value = values[name]
            if name == "memory":
                details |= value or {}
            elif value is not None:
                details["seconds" if name == "timings" else name] = value
        return {**head, "details": details}
