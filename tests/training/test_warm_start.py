"""What the warm start keeps of a BERT, on a small random one."""

import json
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.vocabulary import (  # noqa: E402
    kept_ids,
    pruned_tokenizer,
    vocabulary_of,
    wanted,
)
from edge_rerank_training.warm_start import warm_model  # noqa: E402

TOKENS = [
    "[PAD]",
    "[unused0]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "α",
    "中",
    "fork",
    "##s",
    "1852",
]


def small_tokenizer() -> Any:
    built = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({t: i for i, t in enumerate(TOKENS)}, unk_token="[UNK]")
    )
    built.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    built.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    built.enable_truncation(16)
    built.enable_padding()
    return json.loads(built.to_str())


def small_bert() -> Any:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50,
        hidden_size=48,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        initializer_range=0.2,
    )
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    for layer in bert.encoder.layer:
        # Fresh biases are zero, which would hide an error in how they are folded.
        torch.nn.init.normal_(layer.attention.self.query.bias)
        torch.nn.init.normal_(layer.attention.self.key.bias)
    return bert


def test_hidden_states_are_bert_s_when_relative_terms_are_off() -> None:
    bert = small_bert()
    kept = list(range(0, 50, 2))
    model = warm_model(bert, kept, seed=0).eval()
    with torch.no_grad():
        model.deberta.encoder.LayerNorm.weight.zero_()
        mean = bert.embeddings.position_embeddings.weight[:128].mean(0)
        bert.embeddings.position_embeddings.weight.copy_(mean.expand(512, -1))
        new = torch.tensor([[3, 9, 4, 20, 11]])
        got = model.deberta(new).last_hidden_state
        expected = bert(torch.tensor(kept)[new]).last_hidden_state
    assert (got - expected).abs().max() < 1e-4


def test_pruning_renumbers_vocabulary_rows_and_special_tokens_alike() -> None:
    original = small_tokenizer()
    kept = kept_ids(vocabulary_of(original))
    pruned = pruned_tokenizer(original, kept)
    before = {i: t for t, i in vocabulary_of(original).items()}
    assert [before[old] for old in kept] == list(pruned["model"]["vocab"])
    assert list(pruned["model"]["vocab"].values()) == list(range(len(kept)))
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(pruned))
    encoded = tokenizer.encode("forks α", "fork 中 " * 20)
    assert encoded.tokens[:7] == ["[CLS]", "fork", "##s", "α", "[SEP]", "fork", "[UNK]"]
    assert encoded.tokens[-1] == "[SEP]"
    assert len(encoded.ids) == 46, "no truncation is baked in"
    assert tokenizer.token_to_id("[PAD]") == 0


@pytest.mark.parametrize(
    ("token", "stays"),
    [
        *[(token, True) for token in ("fork", "##ing", "[CLS]", "1952", "π", "²")],
        *[(token, False) for token in ("[unused7]", "1852", "中", "##и")],
    ],
)
def test_what_stays(token: str, stays: bool) -> None:
    assert wanted(token) is stays


def test_other_tokenizers_are_refused_by_name() -> None:
    with pytest.raises(TrainingError, match="Unigram"):
        vocabulary_of({"model": {"type": "Unigram"}})
