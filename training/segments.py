"""A cross-encoder that begins as its teacher, score for score, and is corrected from there.

Each text goes through all layers of all-MiniLM-L6-v2 on its own, as ``[CLS] text [SEP]`` with
positions from 0, so the cosine of the two means over tokens is the bi-encoder's score. On top lies
one layer in which the query's tokens look at the passage's. Its head starts at zero: the first
score is the cosine's, times a scale.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from safetensors.torch import save as serialised
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from edge_rerank.files import whole_file

from .errors import TrainingError

# The bi-encoder's authors trained its cosines with a scale of 20; at 0.35 a pair is undecided.
COSINE_SCALE, COSINE_MIDDLE = 20.0, 0.35
# Of the random projection that queries and keys share at first: tokens look at what is like them.
LIKENESS_GAIN = 2.0
FILES = ("config.json", "model.safetensors", "tokenizer.json")
MODEL_TYPE = "segment-bert"


@dataclass(frozen=True)
class Segment:
    """One text of each of some pairs: ids and mask [pairs, length], states [pairs, length, h]."""

    ids: Tensor
    mask: Tensor
    states: Tensor

    def mean(self) -> Tensor:
        """The mean over tokens, [pairs, h]."""
        weights = self.mask[..., None].to(self.states.dtype)
        return (self.states * weights).sum(1) / weights.sum(1)


class Correction(nn.Module):
    """What is added to the scaled cosine; zero before training."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        hidden = config.hidden_size
        self.heads: int = config.num_attention_heads
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))
        self.output, self.attention_norm = nn.Linear(hidden, hidden), nn.LayerNorm(hidden)
        self.up = nn.Linear(hidden, config.intermediate_size)
        self.down, self.norm = nn.Linear(config.intermediate_size, hidden), nn.LayerNorm(hidden)
        self.pooler, self.classifier = nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        for parameter in self.classifier.parameters():
            nn.init.zeros_(parameter)

    @torch.no_grad()
    def start_from(self, layer: Any) -> None:
        """A BERT layer's values and feed-forward; queries and keys that seek what is alike."""
        size = self.query.in_features
        likeness = torch.linalg.qr(torch.randn(size, size))[0] * LIKENESS_GAIN
        for product in (self.query, self.key):
            product.weight.copy_(likeness)
            product.bias.zero_()
        copies = {
            self.value: layer.attention.self.value,
            self.output: layer.attention.output.dense,
            self.attention_norm: layer.attention.output.LayerNorm,
            self.up: layer.intermediate.dense,
            self.down: layer.output.dense,
            self.norm: layer.output.LayerNorm,
        }
        for target, source in copies.items():
            target.load_state_dict(source.state_dict())

    def forward(self, query: Segment, passage: Segment) -> Tensor:
        """One number a pair, [pairs]."""
        rows = query.states
        context = functional.scaled_dot_product_attention(
            self._by_head(self.query(rows)),
            self._by_head(self.key(passage.states)),
            self._by_head(self.value(passage.states)),
            attn_mask=passage.mask[:, None, None, :],
        )
        rows = self.attention_norm(rows + self.output(context.transpose(1, 2).flatten(2)))
        rows = self.norm(rows + self.down(functional.gelu(self.up(rows))))
        pooled = Segment(query.ids, query.mask, rows).mean()
        number: Tensor = self.classifier(torch.tanh(self.pooler(pooled)))[:, 0]
        return number.float()

    def _by_head(self, rows: Tensor) -> Tensor:
        pairs, length, _ = rows.shape
        return rows.view(pairs, length, self.heads, -1).transpose(1, 2)


class SegmentReranker(nn.Module):
    """The whole model. ``encoder`` runs on one text at a time, ``correction`` on a pair."""

    def __init__(self, encoder: BertModel) -> None:
        super().__init__()
        self.encoder = encoder
        self.correction = Correction(encoder.config)
        self.scale = nn.Parameter(torch.tensor(COSINE_SCALE))
        self.bias = nn.Parameter(torch.tensor(-COSINE_SCALE * COSINE_MIDDLE))

    @classmethod
    def begin(cls, teacher: BertModel, kept: list[int], seed: int) -> "SegmentReranker":
        """The teacher itself; ``kept`` lists the rows of its vocabulary that stay."""
        torch.manual_seed(seed)
        config = BertConfig.from_dict(teacher.config.to_dict())
        config.vocab_size = len(kept)
        encoder = BertModel(config, add_pooling_layer=False)
        weights = dict(teacher.state_dict())
        words = "embeddings.word_embeddings.weight"
        weights[words] = weights[words][kept]
        encoder.load_state_dict(weights, strict=False)
        model = cls(encoder)
        model.correction.start_from(encoder.encoder.layer[-1])
        return model.eval()

    def segment(self, ids: Tensor, mask: Tensor) -> Segment:
        """Run texts, special tokens included, through the encoder."""
        hidden = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        return Segment(ids, mask, hidden)

    def forward(self, query: Segment, passage: Segment) -> Tensor:
        """Logits [pairs]: the scaled cosine, and its correction."""
        cosine = functional.cosine_similarity(query.mean(), passage.mean())
        corrected: Tensor = self.scale * cosine + self.bias + self.correction(query, passage)
        return corrected

    def save(self, tokenizer: dict[str, Any], folder: Path) -> None:
        """A folder of config.json, model.safetensors and tokenizer.json."""
        folder.mkdir(parents=True, exist_ok=True)
        config = self.encoder.config.to_dict() | {"model_type": MODEL_TYPE, "architectures": None}
        config.pop("_name_or_path", None)  # the teacher's folder on this machine
        for name, content in (("config.json", config), ("tokenizer.json", tokenizer)):
            with whole_file(folder / name) as stream:
                stream.write((json.dumps(content, ensure_ascii=False) + "\n").encode())
        with whole_file(folder / "model.safetensors") as stream:
            stream.write(serialised(self.state_dict()))

    @classmethod
    def load(cls, folder: Path) -> "SegmentReranker":
        """What save wrote."""
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            raise TrainingError(f"{folder} lacks {', '.join(missing)}: a checkpoint is needed")
        config = json.loads((folder / "config.json").read_text("utf-8"))
        if config.pop("model_type", None) != MODEL_TYPE:
            raise TrainingError(f"{folder / 'config.json'}: model_type is not {MODEL_TYPE!r}")
        model = cls(BertModel(BertConfig.from_dict(config), add_pooling_layer=False))
        model.load_state_dict(load_file(folder / "model.safetensors"))
        return model.eval()
