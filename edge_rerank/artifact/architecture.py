"""The shape of a model: the sizes that all families have, and what sets families apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from edge_rerank.artifact.fields import Fields

FAMILIES = ("deberta-v2", "bert", "roberta", "xlm-roberta")
TERMS = ("c2p", "p2c")
# Far beyond any model, and as the native engine has them.
MOST_LAYERS, MOST_WIDTH, MOST_POSITIONS, MOST_WORDS = 1024, 1 << 15, 1 << 20, 1 << 28


@dataclass(frozen=True, slots=True)
class RelativePositions:
    """Distances between tokens, each with a row of its own in a table that attention reads."""

    terms: tuple[str, ...]
    """``c2p``: a query meets the table; ``p2c``: a key meets the table."""
    buckets: int
    """Number of logarithmic buckets a side; 0 where every distance has its own row."""
    furthest: int
    """Distance, in tokens, at which the rows end."""

    @classmethod
    def parse(cls, fields: Fields) -> RelativePositions:
        """Read the object; raises ManifestError."""
        return cls(
            terms=relative_terms(fields, "terms", least=1),
            buckets=fields.integer("buckets", least=0, most=MOST_POSITIONS),
            furthest=fields.integer("furthest", least=1, most=MOST_POSITIONS),
        )


@dataclass(frozen=True, slots=True)
class Positions:
    """How the model knows where a token is: a family has one of these, or both."""

    absolute: int
    """Rows of the table that is added to the embeddings; 0 where there is none."""
    relative: RelativePositions | None

    @classmethod
    def parse(cls, fields: Fields) -> Positions:
        """Read the object; raises ManifestError."""
        relative = fields.optional_child("relative")
        return cls(
            absolute=fields.integer("absolute", least=0, most=MOST_POSITIONS),
            relative=None if relative is None else RelativePositions.parse(relative),
        )


@dataclass(frozen=True, slots=True)
class FeedForward:
    """What follows attention in a layer."""

    kind: str
    """``plain``: a product, the activation function, a product."""
    activation: str
    """Under its name in transformers."""

    @classmethod
    def parse(cls, fields: Fields) -> FeedForward:
        """Read the object; raises ManifestError."""
        return cls(kind=fields.choice("kind", ("plain",)), activation=fields.text("activation"))


@dataclass(frozen=True, slots=True)
class Head:
    """What makes the last hidden states a logit."""

    kind: str
    """``dense``: of the first token a product, the activation function, one output."""
    activation: str

    @classmethod
    def parse(cls, fields: Fields) -> Head:
        """Read the object; raises ManifestError."""
        return cls(kind=fields.choice("kind", ("dense",)), activation=fields.text("activation"))


@dataclass(frozen=True, slots=True)
class Architecture:
    """The shape of a model."""

    family: str
    """``model_type`` of its Hugging Face configuration."""
    layers: int
    hidden_size: int
    heads: int
    head_size: int
    intermediate_size: int
    vocab_size: int
    embedding_size: int
    """Width of the embeddings, which a product widens where it is not ``hidden_size``."""
    token_types: int
    """Rows of the table of token types; 0 where there is none."""
    pad_token_id: int
    norm: str
    """``after``: each half of a layer is normalised together with what it adds to."""
    norm_epsilon: float
    score_terms: int
    """Scores are divided by the root of ``head_size`` times this."""
    positions: Positions
    feed_forward: FeedForward
    head: Head

    @property
    def relative_terms(self) -> tuple[str, ...]:
        """The terms of relative positions that attention computes."""
        return self.positions.relative.terms if self.positions.relative else ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that :meth:`parse` reads."""
        value = asdict(self)
        if relative := value["positions"]["relative"]:
            relative["terms"] = list(relative["terms"])
        return value

    @classmethod
    def parse(cls, fields: Fields) -> Architecture:
        """Read the ``architecture`` object of format 2; raises ManifestError."""
        return cls(
            family=fields.choice("family", FAMILIES),
            **common_sizes(fields),
            token_types=fields.integer("token_types", least=0, most=MOST_POSITIONS),
            norm=fields.choice("norm", ("after",)),
            norm_epsilon=fields.number("norm_epsilon", least=1e-30, most=1),
            score_terms=fields.integer("score_terms", least=1, most=1 + len(TERMS)),
            positions=Positions.parse(fields.child("positions")),
            feed_forward=FeedForward.parse(fields.child("feed_forward")),
            head=Head.parse(fields.child("head")),
        )


def common_sizes(fields: Fields) -> dict[str, int]:
    """Read the members that every format has under the same names."""
    width = partial(fields.integer, least=1, most=MOST_WIDTH)
    words = fields.integer("vocab_size", least=1, most=MOST_WORDS)
    heads, head_size, hidden = width("heads"), width("head_size"), width("hidden_size")
    if heads * head_size != hidden:
        fields.fail("head_size", "hidden_size divided by heads")
    return {
        "layers": fields.integer("layers", least=1, most=MOST_LAYERS),
        "hidden_size": hidden,
        "heads": heads,
        "head_size": head_size,
        "intermediate_size": width("intermediate_size"),
        "vocab_size": words,
        "embedding_size": width("embedding_size"),
        "pad_token_id": fields.integer("pad_token_id", least=0, most=words - 1),
    }


def relative_terms(fields: Fields, key: str, *, least: int = 0) -> tuple[str, ...]:
    """Read a list of terms, each named once."""
    terms = tuple(dict.fromkeys(fields.texts(key)))
    if len(terms) < least or set(terms) - set(TERMS):
        fields.fail(key, f"a list of {' and '.join(TERMS)}")
    return terms
