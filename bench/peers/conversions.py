"""What each engine runs from: made of a checkpoint once, and kept in the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_rerank.files import partial_name

from .environments import OWN, Environments, Say, run_module


class ConversionError(Exception):
    """A peer's tools could not convert the checkpoint; the message says why."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A way to make a folder that an engine runs from."""

    name: str
    """Of the folder; empty for the checkpoint itself."""
    environment: str = OWN
    kind: str = ""
    """Function of ``worker.convert``."""
    source: Conversion | None = None
    """What it is made of, when that is not the checkpoint."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    runs_from: tuple[str, ...] = ()
    """The files that an engine needs of it, for its size; none for all of them."""


def optimum_int8(preset: str, *, per_channel: bool) -> Conversion:
    """Return Optimum's dynamic int8 by one of its presets."""
    spread = "per-channel" if per_channel else "per-tensor"
    return Conversion(
        f"optimum-{preset}-{spread}",
        "torch",
        "optimum_int8",
        OPTIMUM_FP32,
        {"preset": preset, "per_channel": per_channel},
    )


NOTHING = Conversion("nothing")
"""For an engine with a model of its own."""
CHECKPOINT = Conversion("")
ARTIFACT_INT8 = Conversion("artifact-int8", OWN, "artifact", None, {"precision": "int8"})
ARTIFACT_FP32 = Conversion("artifact-fp32", OWN, "artifact", None, {"precision": "fp32"})
OPTIMUM_FP32 = Conversion("optimum-fp32", "torch", "optimum_fp32")
OPENVINO_FP32 = Conversion("openvino-fp32", "openvino", "openvino_fp32")
OPENVINO_INT8 = Conversion("openvino-int8", "openvino", "openvino_int8", OPENVINO_FP32)
SENTENCE_TRANSFORMERS_INT8 = Conversion(
    "sentence-transformers-int8",
    "torch",
    "sentence_transformers_int8",
    settings={"preset": "avx512_vnni"},
    runs_from=("onnx/model_qint8_avx512_vnni.onnx", "tokenizer.json", "config.json"),
)


@dataclass(frozen=True, slots=True)
class Models:
    """A checkpoint and the folder of what was made of it."""

    checkpoint: Path
    folder: Path
    environments: Environments
    say: Say
    calibration: tuple[tuple[str, str], ...] = ()
    """Pairs of text for NNCF, which brings none of its own."""
    trained: bool = True
    """With random weights our export is calibrated on the same pairs, not on those that come with
    it, and is not checked as it is loaded."""

    def path(self, model: Conversion) -> Path:
        """Return the folder of a conversion, making it unless it is there.

        Raises ConversionError, or EnvironmentMissingError.
        """
        if model.name in ("", "nothing"):
            return self.checkpoint
        made = self.folder / model.name
        if not made.is_dir():
            self._make(model, made)
        return made

    def size(self, model: Conversion) -> int:
        """Return the bytes of the files that an engine needs of a conversion."""
        folder = self.path(model)
        files = [folder / name for name in model.runs_from] or list(folder.rglob("*"))
        return sum(file.stat().st_size for file in files if file.is_file())

    def _make(self, model: Conversion, made: Path) -> None:
        python = self.environments.python(model.environment)
        source = self.checkpoint if model.source is None else self.path(model.source)
        settings = dict(model.settings)
        if model.kind == "openvino_int8" or (model is ARTIFACT_INT8 and not self.trained):
            settings["pairs"] = self.calibration
        beside = made.with_name(made.name + partial_name())
        self.say(f"making {made.name}")
        self.folder.mkdir(parents=True, exist_ok=True)
        arguments = [model.kind, str(source), str(beside), json.dumps(settings)]
        try:
            run_module(python, "worker.convert", arguments)
            os.replace(beside, made)
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise ConversionError(f"{model.kind}: {last}") from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
