"""The training attention against transformers' own."""

from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from edge_rerank_training.attention import (  # noqa: E402
    bucket_rows,
    pair_logits,
    use_training_attention,
)


def small_model(layers: int = 2) -> Any:
    torch.manual_seed(0)
    config = transformers.DebertaV2Config(
        vocab_size=100,
        hidden_size=48,
        num_hidden_layers=layers,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=512,
        type_vocab_size=0,
        relative_attention=True,
        position_buckets=256,
        norm_rel_ebd="layer_norm",
        share_att_key=True,
        pos_att_type=["p2c", "c2p"],
        position_biased_input=False,
        initializer_range=0.2,
        num_labels=1,
    )
    return transformers.DebertaV2ForSequenceClassification(config).eval()


def batch(length: int) -> tuple[Any, Any]:
    """Three rows, two of them padded."""
    ids = torch.randint(1, 100, (3, length), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, length // 2 + 1 :] = 0
    mask[2, 2:] = 0
    return ids, mask


@pytest.mark.parametrize("length", [2, 40, 300])
def test_hidden_states_equal_transformers(length: int) -> None:
    model = small_model()
    ids, mask = batch(length)
    with torch.no_grad():
        wanted = model.deberta(ids, attention_mask=mask).last_hidden_state
        use_training_attention(model)
        got = model.deberta(ids, attention_mask=mask).last_hidden_state
    assert ((got - wanted) * mask[..., None]).abs().max() < 1e-4


@pytest.mark.parametrize("length", [2, 40, 300])
def test_first_token_alone_gives_the_same_logits(length: int) -> None:
    model = small_model()
    ids, mask = batch(length)
    with torch.no_grad():
        wanted = model(ids, attention_mask=mask).logits[:, 0]
        use_training_attention(model)
        got = pair_logits(model, ids, mask)
    assert (got - wanted).abs().max() < 1e-4


def test_gradients_equal_transformers() -> None:
    original, swapped = small_model(), small_model()
    use_training_attention(swapped)
    ids, mask = batch(40)
    original(ids, attention_mask=mask).logits.sum().backward()
    pair_logits(swapped, ids, mask).sum().backward()
    wanted = dict(original.named_parameters())
    for name, parameter in swapped.named_parameters():
        assert torch.allclose(parameter.grad, wanted[name].grad, atol=1e-4), name


def test_unknown_kind_of_attention_is_refused() -> None:
    model = small_model()
    model.deberta.encoder.layer[0].attention.self.share_att_key = False
    with pytest.raises(ValueError, match="share_att_key"):
        use_training_attention(model)


def test_bucket_rows_are_odd_around_the_middle() -> None:
    rows = bucket_rows(300, 256, 512, torch.device("cpu"))
    assert rows[299] == 256
    assert torch.equal(rows - 256, (256 - rows).flip(0))
