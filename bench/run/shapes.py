"""The models that are measured: a checkpoint of xsmall's shape, one of base's, the built-in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_rerank.artifact.architecture import Architecture
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact
from edge_rerank.files import whole_file
from edge_rerank.tokenizing.choose import PairTokenizer

from ..families import SHAPES, write_family_checkpoint
from ..peers.conversions import ARTIFACT_INT8, Conversion, ConversionError, Models
from ..peers.environments import Environments, Say
from ..random_checkpoint import XSMALL, write_random_checkpoint
from .texts import Pair

BASE: dict[str, Any] = XSMALL | {
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
}
"""The configuration of microsoft/deberta-v3-base, as far as it decides the shape."""
_FEW = 16
_SECOND_START = {"id": "[CLS]", "type_id": 1}
CONFIGS = {"xsmall": XSMALL, "base": BASE}


@dataclass(frozen=True, slots=True)
class Shape:
    """A model in all the forms that engines run from."""

    name: str
    title: str
    models: Models
    trained: bool
    """False for random weights, which say nothing about accuracy."""

    def artifact(self) -> Path:
        """Return our int8 artifact of it."""
        return self.models.path(ARTIFACT_INT8)

    def architecture(self) -> Architecture:
        """Return its dimensions."""
        return load_artifact(self.artifact(), verify=False).manifest.architecture

    def lengths(self, pairs: Sequence[Pair]) -> list[int]:
        """Return how many tokens each pair has."""
        artifact = load_artifact(self.artifact(), verify=False)
        most = artifact.manifest.max_length
        tokenizer = PairTokenizer(artifact.file("tokenizer.json"), max_length=most)
        lengths: list[int] = tokenizer.encode(pairs).lengths.tolist()
        return lengths

    def to_json(self) -> dict[str, Any]:
        """Return what the report says about it."""
        manifest = load_artifact(self.artifact(), verify=False).manifest
        return {
            "title": self.title,
            "trained": self.trained,
            "architecture": manifest.architecture.to_json(),
            "max_length": manifest.max_length,
            "checkpoint_sha256": manifest.source.checkpoint_sha256,
        }


class BuiltinModels(Models):
    """The built-in model, which is an int8 artifact and nothing else."""

    def path(self, model: Conversion) -> Path:
        """Return the artifact; raises ConversionError for everything else."""
        if model is ARTIFACT_INT8:
            return builtin_model()
        raise ConversionError("needs the fp32 checkpoint, which does not come with the package")


@dataclass(frozen=True, slots=True)
class Shapes:
    """Finds or makes them, in the cache."""

    cache: Path
    environments: Environments
    say: Say
    calibration: tuple[Pair, ...]

    def of_checkpoint(self, name: str, checkpoint: Path, *, trained: bool, title: str) -> Shape:
        """Return a checkpoint's shape; what is made of it is kept by its digest."""
        folder = self.cache / "models" / f"{name}-{_digest(checkpoint)[:12]}"
        # Nobody asks how accurate random weights are: a few pairs do.
        pairs = self.calibration if trained else self.calibration[:_FEW]
        models = Models(checkpoint, folder, self.environments, self.say, pairs, trained)
        return Shape(name, title, models, trained)

    def random(self, name: str, tokenizer: Path) -> Shape:
        """Return a checkpoint of a known shape with random weights, making it at first."""
        checkpoint = self.cache / "models" / f"{name}-random"
        if not (checkpoint / "tokenizer_config.json").is_file():
            self.say(f"making {checkpoint.name}")
            write_random_checkpoint(checkpoint, tokenizer, CONFIGS[name])
            (checkpoint / "tokenizer_config.json").write_text(json.dumps(_TOKENIZER), "utf-8")
        title = f"{name} shape, random weights"
        return self.of_checkpoint(name, checkpoint, trained=False, title=title)

    def family(self, name: str) -> Shape:
        """Return a shape of another family, making its checkpoint at first."""
        checkpoint = self.cache / "models" / f"{name}-checkpoint"
        if not (checkpoint / "tokenizer_config.json").is_file():
            self.say(f"making {checkpoint.name}")
            write_family_checkpoint(name, checkpoint, self.say)
        family = SHAPES[name]
        return self.of_checkpoint(name, checkpoint, trained=family.real, title=family.title)

    def own_tokenizer(self) -> Path:
        """Return the built-in model's tokenizer, for models that read both texts as one."""
        content = json.loads((builtin_model() / "tokenizer.json").read_text("utf-8"))
        pair = content["post_processor"]["pair"]
        # Where each text begins with [CLS] of its own, the second one is left out.
        content["post_processor"]["pair"] = [
            piece for piece in pair if piece.get("SpecialToken") != _SECOND_START
        ]
        file = self.cache / "models" / "tokenizer.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as stream:
            stream.write(json.dumps(content, ensure_ascii=False).encode())
        return file

    def builtin(self) -> Shape:
        """Return the built-in model."""
        folder = builtin_model()
        models = BuiltinModels(folder, folder, self.environments, self.say)
        return Shape("builtin", "the built-in model", models, True)


_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": 512,
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}


def _digest(checkpoint: Path) -> str:
    """Return a digest of the weights and of the tokenizer."""
    digest = hashlib.sha256()
    for file in sorted([*checkpoint.glob("*.safetensors"), checkpoint / "tokenizer.json"]):
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
