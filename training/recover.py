"""Restores the warm start's sense of order.

MiniLM adds an embedding of the absolute position to its input; the reranker has none and knows
distances only. Its relative table is therefore fitted to MiniLM's own hidden states, layer by
layer, on plain passages: every token of every layer is a target, so minutes are enough.
"""

from collections.abc import Callable, Sequence
from random import Random

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import BertModel, DebertaV2ForSequenceClassification

from .precision import products_in
from .teacher import load_teacher

BATCH = 8
RELATIVE_RATE, COPIED_RATE = 1e-2, 2e-4
LEAST_TOKENS = 24


def parameter_groups(model: DebertaV2ForSequenceClassification) -> list[dict[str, object]]:
    """The relative table learns fast; the copied layers move a little; words and head stay."""
    relative: list[Tensor] = []
    copied: list[Tensor] = []
    for name, parameter in model.deberta.named_parameters():
        if name.startswith(("encoder.rel_embeddings", "encoder.LayerNorm")):
            relative.append(parameter)
        elif "word_embeddings" not in name:
            copied.append(parameter)
    return [
        {"params": relative, "base": RELATIVE_RATE},
        {"params": copied, "base": COPIED_RATE},
    ]


def same_pieces(old: Tokenizer, new: Tokenizer, text: str) -> tuple[list[int], list[int]] | None:
    """Ids of a text in both vocabularies; none where pruning cut it into other pieces."""
    before = old.encode(text)
    after = new.encode(text)
    shared = min(len(before.tokens), len(after.tokens)) - 1
    if shared < LEAST_TOKENS or before.tokens[:shared] != after.tokens[:shared]:
        return None
    return [*before.ids[:shared], old.token_to_id("[SEP]")], [
        *after.ids[:shared],
        new.token_to_id("[SEP]"),
    ]


def padded(rows: Sequence[list[int]]) -> Tensor:
    """[rows, longest]; both vocabularies pad with 0."""
    length = max(map(len, rows))
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


def distance(
    model: DebertaV2ForSequenceClassification, bert: BertModel, ids: Tensor, old: Tensor
) -> Tensor:
    """Mean of 1 - cosine over tokens and layers."""
    mask = (ids != 0).long()
    with torch.no_grad():
        wanted = bert(old, attention_mask=mask, output_hidden_states=True).hidden_states[1:]
    got = model.deberta(ids, attention_mask=mask, output_hidden_states=True).hidden_states[1:]
    keep = mask.bool()
    parts = [
        1 - cosine_similarity(w[keep].float(), g[keep].float(), dim=-1)
        for w, g in zip(wanted, got, strict=True)
    ]
    return torch.stack(parts).mean()


def recover_order(
    model: DebertaV2ForSequenceClassification,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    steps: int,
    precision: str,
    seed: int,
    say: Callable[[str], None],
) -> float:
    """Fits model, which must have training attention, in place; returns the last mean distance."""
    bert, old = load_teacher()
    bert.to(model.device)
    optimizer = torch.optim.AdamW(
        parameter_groups(model), lr=RELATIVE_RATE, weight_decay=0.0, fused=True
    )
    model.deberta.embeddings.word_embeddings.weight.requires_grad_(False)
    order = list(range(len(texts)))
    Random(f"{seed} recover").shuffle(order)
    pairs = filter(None, (same_pieces(old, tokenizer, texts[i]) for i in order))
    recent: list[float] = []
    for step in range(steps):
        batch = [pair for pair, _ in zip(pairs, range(BATCH), strict=False)]
        if len(batch) < BATCH:
            break
        for group in optimizer.param_groups:
            group["lr"] = group["base"] * min((step + 1) / 10, 1 - step / steps)
        with products_in(precision, str(model.device)):
            loss = distance(
                model,
                bert,
                padded([new for _, new in batch]).to(model.device),
                padded([before for before, _ in batch]).to(model.device),
            )
        torch.autograd.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        recent = [*recent[-19:], loss.item()]
        if step % 20 == 19:
            mean = sum(recent) / len(recent)
            say(f"recovering order: step {step + 1} of {steps}, distance {mean:.4f}")
    return sum(recent) / max(len(recent), 1)
