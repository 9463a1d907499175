"""The WordPiece vocabulary without the entries an English reranker never meets."""

import copy
from typing import Any

from .errors import TrainingError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary_of(tokenizer: dict[str, Any]) -> dict[str, int]:
    """From token to id, in a tokenizer.json's content."""
    model = tokenizer.get("model", {})
    if model.get("type") != "WordPiece":
        raise TrainingError(
            f"the tokenizer's model is {model.get('type')!r}; pruning knows WordPiece"
        )
    vocabulary: dict[str, int] = model["vocab"]
    return vocabulary


# Beyond ASCII: Greek letters of formulas, and signs that English text is set with. Accented letters
# are not here, because the tokenizer takes accents off before it looks a word up.
FOREIGN_KEPT = frozenset("αβγδεζηθικλμνξοπρστυφχψω£€¥§°±²³µ·×÷–—‘’“”•…™→−≈≤≥∞√∂∆")  # noqa: RUF001


def wanted(token: str) -> bool:
    """Whether English text can produce the token often enough to pay for its row."""
    if token in SPECIAL:
        return True
    if token.startswith("[unused"):
        return False
    # Years before 1900 read as well in two pieces.
    if token.isdecimal() and 1500 <= int(token) < 1900:
        return False
    return token.isascii() or token in FOREIGN_KEPT


def kept_ids(vocabulary: dict[str, int]) -> list[int]:
    """Old ids of the tokens that stay, in order: new row i is old row kept[i]."""
    return [
        old for token, old in sorted(vocabulary.items(), key=lambda item: item[1]) if wanted(token)
    ]


def pruned_tokenizer(
    original: dict[str, Any], kept: list[int], *, apart: bool = False
) -> dict[str, Any]:
    """A tokenizer.json's content with the kept tokens renumbered, and with the pair template."""
    by_id = {old: token for token, old in vocabulary_of(original).items()}
    vocabulary = {by_id[old]: new for new, old in enumerate(kept)}
    missing = [token for token in SPECIAL if token not in vocabulary]
    if missing:
        raise TrainingError(f"the vocabulary lacks {', '.join(missing)}")
    pruned = copy.deepcopy(original)
    pruned["model"]["vocab"] = vocabulary
    pruned["added_tokens"] = [
        {**entry, "id": vocabulary[entry["content"]]}
        for entry in original["added_tokens"]
        if entry["content"] in vocabulary
    ]
    pruned["truncation"] = pruned["padding"] = None
    pruned["post_processor"] = pair_template(vocabulary, apart)
    return pruned


def pair_template(vocabulary: dict[str, int], apart: bool = False) -> dict[str, Any]:
    """[CLS] query [SEP] passage [SEP], where types are 0 for the query and 1 for the passage.

    ``apart`` gives the passage a [CLS] of its own, for a model that reads each text by itself.
    """

    def special(token: str, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": token, "type_id": kind}}

    first = [special("[CLS]", 0), {"Sequence": {"id": "A", "type_id": 0}}, special("[SEP]", 0)]
    second = [{"Sequence": {"id": "B", "type_id": 1}}, special("[SEP]", 1)]
    if apart:
        second = [special("[CLS]", 1), *second]
    tokens = {
        token: {"id": token, "ids": [vocabulary[token]], "tokens": [token]}
        for token in ("[CLS]", "[SEP]")
    }
    return {
        "type": "TemplateProcessing",
        "single": first,
        "pair": first + second,
        "special_tokens": tokens,
    }


def tokenizer_config() -> dict[str, Any]:
    """Enough for transformers' AutoTokenizer to take tokenizer.json as it is."""
    names = dict(
        zip(
            ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True
        )
    )
    return {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 512, **names}
