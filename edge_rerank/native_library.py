"""The native engine's library: where it lies, its C interface, its errors as ours.

What is declared here is ``native/include/edge_rerank.h``, whose comments say what each part means.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

from edge_rerank._version import __version__
from edge_rerank.description import Kernel
from edge_rerank.ending import CANCELLED, NO_LIMITS, TIMED_OUT, Limits
from edge_rerank.errors import (
    ArtifactError,
    CancelledError,
    EdgeRerankError,
    EngineError,
    InputError,
    TimedOutError,
)

API_VERSION = 1
# Links are not followed: installed as links, the library is linked beside this file.
FOLDER = Path(os.path.abspath(__file__)).parent / "_native"
_NAMES = {"win32": "edge_rerank.dll", "darwin": "libedge_rerank.dylib"}
_NOT_BUILT = "not-built.txt"  # written by setup.py
_INVALID_ARGUMENT, _BAD_ARTIFACT, _UNSUPPORTED, _OUT_OF_MEMORY = 1, 2, 3, 4
_CANCELLED, _TIMED_OUT = 8, 9
_MOST_MILLISECONDS = 2**31 - 1


class UnavailableError(EngineError):
    """There is no library, or it does not run this model here; another engine may."""


class Options(ctypes.Structure):
    """``edge_rerank_options``."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("threads", ctypes.c_int32),
        ("max_length", ctypes.c_int32),
        ("tokens_in_flight", ctypes.c_int32),
        ("kernel", ctypes.c_char_p),
        ("map_weights", ctypes.c_int32),
    )


class CallOptions(ctypes.Structure):
    """``edge_rerank_call_options``."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("timeout_ms", ctypes.c_int32),
        ("cancelled", ctypes.POINTER(ctypes.c_int32)),
    )


class Times(ctypes.Structure):
    """``edge_rerank_times``."""

    _fields_ = (
        ("embedding", ctypes.c_double),
        ("products", ctypes.c_double),
        ("attention", ctypes.c_double),
        ("rest", ctypes.c_double),
        ("waiting", ctypes.c_double),
        ("multiply_adds", ctypes.c_double),
    )


class Info(ctypes.Structure):
    """``edge_rerank_info``."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("threads", ctypes.c_int32),
        ("max_length", ctypes.c_int32),
        ("tokens_in_flight", ctypes.c_int32),
        ("vocabulary", ctypes.c_int32),
        ("token_types", ctypes.c_int32),
        ("weights_bytes", ctypes.c_uint64),
        ("buffers_bytes", ctypes.c_uint64),
        ("mapped_bytes", ctypes.c_uint64),
        ("kernel", ctypes.c_char_p),
        ("precision", ctypes.c_char_p),
        ("times", Times),
        ("activation", ctypes.c_char_p),
        ("prompt", ctypes.c_char_p),
    )


class Text(ctypes.Structure):
    """``edge_rerank_text``."""

    _fields_ = (("data", ctypes.c_char_p), ("size", ctypes.c_size_t))


class TokenizerInfo(ctypes.Structure):
    """``edge_rerank_tokenizer_info``."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("max_length", ctypes.c_int32),
        ("special_tokens", ctypes.c_int32),
        ("vocabulary", ctypes.c_int32),
        ("memory_bytes", ctypes.c_uint64),
        ("model", ctypes.c_char_p),
    )


_INT32S = ctypes.POINTER(ctypes.c_int32)
_INT64S = ctypes.POINTER(ctypes.c_int64)
_FLOATS = ctypes.POINTER(ctypes.c_float)
_DOUBLES = ctypes.POINTER(ctypes.c_double)
_BYTES = ctypes.POINTER(ctypes.c_uint8)
_TEXTS = ctypes.POINTER(Text)
_CALL_OPTIONS = ctypes.POINTER(CallOptions)
_ENGINE = _TOKENIZER = ctypes.c_void_p
_STATUS, _TEXT = ctypes.c_int32, ctypes.c_char_p
_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "api_version": (ctypes.c_uint32, ()),
    "version": (_TEXT, ()),
    "last_error": (_TEXT, ()),
    "kernels": (_TEXT, ()),
    "open": (_STATUS, (_TEXT, ctypes.POINTER(Options), ctypes.POINTER(_ENGINE))),
    "score": (_STATUS, (_ENGINE, _INT32S, _INT64S, _INT32S, ctypes.c_size_t, _FLOATS)),
    "score_with": (
        _STATUS,
        (_ENGINE, _CALL_OPTIONS, _INT32S, _INT64S, _INT32S, ctypes.c_size_t, _FLOATS),
    ),
    "cancel": (None, (_INT32S,)),
    "describe": (_STATUS, (_ENGINE, ctypes.POINTER(Info))),
    "peak": (_STATUS, (_TEXT, _DOUBLES, _DOUBLES, _DOUBLES)),
    "close": (None, (_ENGINE,)),
    "tokenizer_open": (_STATUS, (_TEXT, ctypes.c_int32, ctypes.POINTER(_TOKENIZER))),
    "tokenizer_encode": (
        _STATUS,
        (_TOKENIZER, _TEXTS, _TEXTS, ctypes.c_size_t, _INT32S, _INT64S, _INT32S, _BYTES),
    ),
    "tokenizer_encode_on": (
        _STATUS,
        (
            *(_TOKENIZER, ctypes.c_int32, _TEXTS, _TEXTS, _BYTES, ctypes.c_size_t),
            *(_INT32S, _INT64S, _INT32S, _BYTES),
        ),
    ),
    "tokenizer_describe": (_STATUS, (_TOKENIZER, ctypes.POINTER(TokenizerInfo))),
    "tokenizer_close": (None, (_TOKENIZER,)),
    "rank": (_STATUS, (_TEXT, _TEXT, ctypes.POINTER(_TEXT), ctypes.c_size_t, _FLOATS)),
}


class Library:
    """The library's functions, declared; those that can fail raise typed errors."""

    def __init__(self, path: Path) -> None:
        """Load ``path``; raises UnavailableError when it is not the library of this release."""
        try:
            self._functions = _declare(ctypes.CDLL(str(path)))
        except (OSError, AttributeError) as error:
            raise UnavailableError(f"{path}: cannot be loaded: {error}") from error
        found = self._functions["api_version"]()
        if found != API_VERSION:
            raise UnavailableError(
                f"{path}: has version {found} of the C interface, expected {API_VERSION}; "
                "reinstall edge-rerank"
            )
        self.version: str = self._functions["version"]().decode()
        if self.version != __version__:
            raise UnavailableError(
                f"{path}: is of release {self.version}, the package of {__version__}; "
                "reinstall edge-rerank"
            )
        self.kernels: tuple[Kernel, ...] = tuple(self._functions["kernels"]().decode().split(","))
        """The kernels that this CPU runs, fastest first."""

    def open(self, folder: bytes, options: Options) -> ctypes.c_void_p:
        """Open an artifact's folder and give the engine's handle."""
        engine = _ENGINE()
        self._call("open", folder, ctypes.byref(options), ctypes.byref(engine))
        return engine

    def score(
        self,
        engine: ctypes.c_void_p,
        ids: Any,
        offsets: Any,
        first: Any,
        count: int,
        logits: Any,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """Compute logits into ``logits``; the arrays are contiguous numpy arrays.

        Raises CancelledError or TimedOutError where ``limits`` end it before.
        """
        self._call(
            "score_with",
            engine,
            _call_options(limits),
            ids.ctypes.data_as(_INT32S),
            offsets.ctypes.data_as(_INT64S),
            first.ctypes.data_as(_INT32S),
            count,
            logits.ctypes.data_as(_FLOATS),
        )

    def describe(self, engine: ctypes.c_void_p) -> Info:
        """Return what the library says about an engine."""
        info = Info(size=ctypes.sizeof(Info))
        self._call("describe", engine, ctypes.byref(info))
        return info

    def peak(self, kernel: str) -> tuple[float, float, float]:
        """Measure int8 and float32 multiply-adds and bytes read a second, of one core."""
        figures = [ctypes.c_double() for _ in range(3)]
        self._call("peak", kernel.encode(), *map(ctypes.byref, figures))
        return figures[0].value, figures[1].value, figures[2].value

    def close(self, engine: ctypes.c_void_p) -> None:
        """Free an engine; it must not be used afterwards."""
        self._functions["close"](engine)

    def open_tokenizer(self, path: bytes, max_length: int) -> ctypes.c_void_p:
        """Open a tokenizer.json and give the tokenizer's handle."""
        tokenizer = _TOKENIZER()
        self._call("tokenizer_open", path, max_length, ctypes.byref(tokenizer))
        return tokenizer

    def encode(
        self,
        tokenizer: ctypes.c_void_p,
        threads: int,
        texts: tuple[Any, Any, Any],
        results: tuple[Any, Any, Any, Any],
    ) -> None:
        """Encode pairs into ``results``: contiguous arrays for ids, offsets, first, truncated.

        The ``texts`` are arrays too: of queries and of documents, an address and a size for each,
        and of which documents go on. A pair of which not enough was given has 2 for truncated.
        """
        queries, documents, go_on = texts
        given = (array.ctypes.data_as(_TEXTS) for array in (queries, documents))
        types = (_INT32S, _INT64S, _INT32S, _BYTES)
        pointers = (array.ctypes.data_as(kind) for array, kind in zip(results, types, strict=True))
        beginnings, count = go_on.ctypes.data_as(_BYTES), len(documents)
        self._call("tokenizer_encode_on", tokenizer, threads, *given, beginnings, count, *pointers)

    def describe_tokenizer(self, tokenizer: ctypes.c_void_p) -> TokenizerInfo:
        """Return what the library says about a tokenizer."""
        info = TokenizerInfo(size=ctypes.sizeof(TokenizerInfo))
        self._call("tokenizer_describe", tokenizer, ctypes.byref(info))
        return info

    def close_tokenizer(self, tokenizer: ctypes.c_void_p) -> None:
        """Free a tokenizer; it must not be used afterwards."""
        self._functions["tokenizer_close"](tokenizer)

    def _call(self, name: str, *arguments: Any) -> None:
        status = self._functions[name](*arguments)
        if status != 0:
            raise error_of(status, self._functions["last_error"]().decode("utf-8", "replace"))


@cache
def load_library() -> Library:
    """Load the library that was built with this package, once.

    Raises UnavailableError with the reason when there is none.
    """
    path = library_file()
    if not path.is_file():
        raise UnavailableError(_why_missing(path))
    return Library(path)


def library_file() -> Path:
    """Return the library's path, whether or not it is there.

    In a clone, Python finds this package in the current folder before the installed one, which has
    the library; :class:`Library` checks that it is of the same release. Where this file is a link,
    as build systems install, the library may lie beside the link or where the link leads.
    """
    name = _NAMES.get(sys.platform, "libedge_rerank.so")
    linked = Path(__file__).resolve().parent / "_native"
    installed = [Path(entry, "edge_rerank", "_native") for entry in sys.path]
    folders = [FOLDER] if FOLDER.is_dir() else [FOLDER, linked, *installed]
    return next((folder / name for folder in folders if (folder / name).is_file()), FOLDER / name)


def error_of(status: int, text: str) -> EdgeRerankError:
    """Return the error that a status of the C interface stands for."""
    if status == _INVALID_ARGUMENT:
        return InputError(text)
    if status == _BAD_ARTIFACT:
        return ArtifactError(text)
    if status == _UNSUPPORTED:
        return UnavailableError(text)
    if status == _CANCELLED:
        return CancelledError(CANCELLED)
    if status == _TIMED_OUT:
        return TimedOutError(TIMED_OUT)
    if status == _OUT_OF_MEMORY:
        return EngineError(f"the native engine is out of memory: {text}")
    return EngineError(f"the native engine failed: {text}")


def _call_options(limits: Limits) -> CallOptions | None:
    """Return what the library is told of limits that have not ended the call yet."""
    if limits == NO_LIMITS:
        return None
    options = CallOptions(size=ctypes.sizeof(CallOptions))
    if limits.deadline is not None:
        left = min(limits.seconds_left() * 1000, _MOST_MILLISECONDS)
        options.timeout_ms = max(1, math.ceil(left))
    if limits.cancel is not None:
        options.cancelled = ctypes.cast(limits.cancel.address, _INT32S)
    return options


def _declare(library: ctypes.CDLL) -> dict[str, Any]:
    functions = {}
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, f"edge_rerank_{name}")
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    return functions


def _why_missing(path: Path) -> str:
    try:
        # The first line says what was wrong; a compiler's output may follow.
        reason = path.with_name(_NOT_BUILT).read_text("utf-8").split("\n", 1)[0]
    except (OSError, UnicodeDecodeError):
        reason = "the file is missing"
    return (
        f"{path.name}, the native engine's library, is not there: {reason}; to build it, "
        "reinstall edge-rerank from source with EDGE_RERANK_BUILD_NATIVE=1"
    )
