"""Tokenizers: SentencePiece's file converted, and what would give other ids refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_rerank import Reranker, verify
from edge_rerank.artifact.folder import write_manifest
from edge_rerank.tokenizing.vocabulary import read_vocabulary, token_beyond
from tests.conftest import VOCABULARY, tiny_manifest, word_tokenizer
from tests.export.conftest import Make


def checked(folder: Path, scratch: Path) -> Path:
    from edge_rerank_export.checkpoint import open_checkpoint
    from edge_rerank_export.tokenizer import tokenizer_file

    scratch.mkdir(exist_ok=True)
    return Path(tokenizer_file(open_checkpoint(folder), scratch))


def edit(path: Path, **changes: Any) -> None:
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | changes))


def train_sentencepiece(folder: Path) -> None:
    """Train a small model as DeBERTa-v2's is, and put it in place of tokenizer.json."""
    library = pytest.importorskip("sentencepiece")
    from edge_rerank_export.probes import probe_pairs

    texts = folder / "texts.txt"
    texts.write_text("\n".join(text for pair in probe_pairs() for text in pair if text.isascii()))
    library.SentencePieceTrainer.train(
        input=str(texts), model_prefix=str(folder / "spm"), vocab_size=140, model_type="unigram",
        character_coverage=1.0, pad_id=0, bos_id=1, eos_id=2, unk_id=3, minloglevel=2,
        pad_piece="[PAD]", bos_piece="[CLS]", eos_piece="[SEP]", unk_piece="[UNK]",
        byte_fallback=False, hard_vocab_limit=False,
    )  # fmt: skip
    for name in ("texts.txt", "spm.vocab", "tokenizer.json"):
        (folder / name).unlink()


def test_sentencepieces_file_is_converted(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import ExportOptions, export_model
    from edge_rerank_export.probes import probe_pairs

    folder = make_checkpoint()
    train_sentencepiece(folder)
    options = ExportOptions(precision="fp32")
    path = export_model(str(folder), tmp_path / "m", options, report=lambda line: None).path
    assert not (folder / "tokenizer.json").exists(), "the checkpoint is only read"
    library = pytest.importorskip("transformers")
    theirs = library.DebertaV2Tokenizer.from_pretrained(str(folder))  # sentencepiece itself
    with Reranker.load(path) as reranker:
        batch = reranker._parts()[0].encode(probe_pairs())
    for place, (query, document) in enumerate(probe_pairs()):
        ids = theirs(query, document, truncation="longest_first", max_length=96)["input_ids"]
        assert batch.ids_of(place).tolist() == ids


def test_without_sentencepiece_the_package_is_named(
    make_checkpoint: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_rerank_export import CheckpointError, ExportError

    folder = make_checkpoint()
    (folder / "tokenizer.json").unlink()
    (folder / "spm.model").write_bytes(b"no model")
    with pytest.raises(CheckpointError, match=r"spm.model: transformers cannot convert it"):
        checked(folder, tmp_path / "scratch")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ExportError, match="needs the package sentencepiece"):
        checked(folder, tmp_path / "scratch")


def with_token(path: Path, content: str, number: int) -> None:
    """Add a token as ``tokenizer.add_tokens`` does."""
    value = json.loads(path.read_text())
    token = {"id": number, "content": content, "special": False}
    token |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    value["added_tokens"].append(token)
    path.write_text(json.dumps(value))


def test_a_token_beyond_the_embedding(make_checkpoint: Make, tmp_path: Path) -> None:
    from edge_rerank_export import CheckpointError

    folder = make_checkpoint({"vocab_size": 120})
    with_token(folder / "tokenizer.json", "<last>", 119)
    checked(folder, tmp_path / "scratch")
    with_token(folder / "tokenizer.json", "<beyond>", 120)
    with pytest.raises(CheckpointError, match=r"'<beyond>' has the id 120, .* 120 embeddings"):
        checked(folder, tmp_path / "scratch")


def test_verify_finds_a_token_beyond_the_embedding(make_artifact: Any) -> None:
    folder = make_artifact()
    with_token(folder / "tokenizer.json", "<beyond>", VOCABULARY)
    write_manifest(folder, tiny_manifest())
    assert [check.name for check in verify(folder).failures] == ["vocabulary"]


@pytest.mark.parametrize(
    ("file", "changes", "message"),
    [
        ("tokenizer_config.json", {"truncation_side": "left"}, "truncation_side is 'left'"),
        ("tokenizer_config.json", {"model_input_names": ["input_ids"]}, "no 'token_type_ids'"),
        (
            "tokenizer_config.json",
            {"added_tokens_decoder": {"130": {"content": "<new>"}}},
            "adds the token '<new>' as id 130, and the tokenizer has none",
        ),
        ("added_tokens.json", {"[CLS]": 9}, r"'\[CLS\]' as id 9, and the tokenizer has 1"),
    ],
)
def test_settings_that_would_give_other_ids_are_refused(
    file: str, changes: dict[str, Any], message: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    from edge_rerank_export import CheckpointError

    folder = make_checkpoint({"type_vocab_size": 2})
    edit(folder / "tokenizer_config.json", truncation_side="right", do_lower_case=True)
    edit(folder / "tokenizer_config.json", added_tokens_decoder={"1": {"content": "[CLS]"}})
    checked(folder, tmp_path / "scratch")
    edit(folder / file, **changes)
    with pytest.raises(CheckpointError, match=message):
        checked(folder, tmp_path / "scratch")


def test_vocabularies_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    word_tokenizer().save(str(path))
    assert read_vocabulary(path) == word_tokenizer().get_vocab(with_added_tokens=True)
    around = {
        "type": "Sequence",
        "processors": [{"type": "RobertaProcessing", "sep": ["</s>", 7], "cls": ["<s>", 8]}],
    }
    unigram = {"model": {"vocab": [["a", 0.0], ["b", -1.0]]}, "post_processor": around}
    path.write_text(json.dumps(unigram))
    assert read_vocabulary(path) == {"a": 0, "b": 1, "</s>": 7, "<s>": 8}
    assert token_beyond(path, 9) is None
    assert token_beyond(path, 8) == "'<s>' has the id 8, and the model has 8 embeddings"
