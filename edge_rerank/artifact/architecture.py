"""The shape of a model: the sizes that all families have, and what sets families apart."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from edge_rerank.artifact.fields import Fields

FAMILIES = ("deberta-v2", "bert", "roberta", "xlm-roberta", "modernbert", "segment-bert")
TERMS = ("c2p", "p2c")
# Far beyond any model, and as the native engine has them.
MOST_LAYERS, MOST_WIDTH, MOST_POSITIONS, MOST_WORDS = 1024, 1 << 15, 1 << 20, 1 << 28
MOST_STEPS = 64


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
class RotaryPositions:
    """Queries and keys are turned by angles that grow with their positions (Su et al., 2021)."""

    base: float
    """Of the angles: input ``i`` of a half head turns by ``base ** (-i / half)`` a token."""
    local_base: float | None
    """That of layers of local attention; None where it is the same."""

    @classmethod
    def parse(cls, fields: Fields) -> RotaryPositions:
        """Read the object; raises ManifestError."""
        local = fields.value.get("local_base")
        return cls(
            base=fields.number("base", least=1),
            local_base=None if local is None else fields.number("local_base", least=1),
        )


@dataclass(frozen=True, slots=True)
class Positions:
    """How the model knows where a token is: a family has one of these, or several."""

    absolute: int
    """Rows of the table that is added to the embeddings; 0 where there is none."""
    relative: RelativePositions | None
    rotary: RotaryPositions | None = None

    @classmethod
    def parse(cls, fields: Fields) -> Positions:
        """Read the object; raises ManifestError."""
        relative, rotary = fields.optional_child("relative"), fields.later_child("rotary")
        return cls(
            absolute=fields.integer("absolute", least=0, most=MOST_POSITIONS),
            relative=None if relative is None else RelativePositions.parse(relative),
            rotary=None if rotary is None else RotaryPositions.parse(rotary),
        )


@dataclass(frozen=True, slots=True)
class LocalAttention:
    """Layers whose queries see only the keys near them."""

    reach: int
    """How many tokens away the furthest key is, to each side."""
    layers: tuple[int, ...]

    @classmethod
    def parse(cls, fields: Fields, layers: int) -> LocalAttention:
        """Read the object, of a model of so many layers; raises ManifestError."""
        numbers = fields.integers("layers", least=0, most=layers - 1)
        return cls(fields.integer("reach", least=1, most=MOST_POSITIONS), numbers)


@dataclass(frozen=True, slots=True)
class Segments:
    """The two texts of a pair are read apart, each with positions of its own, and then compared.

    A multiple of the cosine of their means is added to what the head gives.
    """

    crossing: int
    """How many of the layers, the last ones, look across: in them, the rows of the first text look
    at those of the second, which stay as the layers before have left them. The head reads what
    these layers give: the first text's rows alone."""
    norm_epsilon: float
    """Of the norms in those layers."""

    @classmethod
    def parse(cls, fields: Fields, layers: int) -> Segments:
        """Read the object, of a model of so many layers; raises ManifestError."""
        return cls(
            crossing=fields.integer("crossing", least=1, most=layers - 1),
            norm_epsilon=fields.number("norm_epsilon", least=1e-30, most=1),
        )


@dataclass(frozen=True, slots=True)
class FeedForward:
    """What follows attention in a layer."""

    kind: str
    """``plain``: a product, the activation function, a product. ``gated``: the first product gives
    twice as much, and what the function makes of the first half is multiplied by the second."""
    activation: str
    """Under its name in transformers."""

    @classmethod
    def parse(cls, fields: Fields) -> FeedForward:
        """Read the object; raises ManifestError."""
        kind = fields.choice("kind", ("plain", "gated"))
        return cls(kind=kind, activation=fields.text("activation"))


@dataclass(frozen=True, slots=True)
class DenseStep:
    """A product of the head, and what is made of it."""

    outputs: int
    activation: str | None
    """None: nothing."""


@dataclass(frozen=True, slots=True)
class NormStep:
    """A norm of the head."""

    epsilon: float


HeadStep = DenseStep | NormStep


@dataclass(frozen=True, slots=True)
class Head:
    """What makes the last hidden states a logit: pooling, steps, and a product of one output."""

    kind: str
    """``dense``: of the first token one product, as wide as the model, and the activation function.
    ``steps``: any."""
    steps: tuple[HeadStep, ...]
    pooling: str = "first"
    """``first``: the first token's state; ``mean``: that of all tokens."""

    @classmethod
    def dense(cls, hidden_size: int, activation: str) -> Head:
        """Return the head of that kind."""
        return cls("dense", (DenseStep(hidden_size, activation),))

    @property
    def activation(self) -> str | None:
        """That of the first product."""
        return next((step.activation for step in self.steps if isinstance(step, DenseStep)), None)

    def to_json(self) -> dict[str, Any]:
        """Return the object that :meth:`parse` reads."""
        if self.kind == "dense":
            return {"kind": self.kind, "activation": self.activation}
        steps = [
            {"kind": "norm" if isinstance(step, NormStep) else "dense", **asdict(step)}
            for step in self.steps
        ]
        return {"kind": self.kind, "pooling": self.pooling, "steps": steps}

    @classmethod
    def parse(cls, fields: Fields, hidden_size: int) -> Head:
        """Read the object; raises ManifestError."""
        if fields.choice("kind", ("dense", "steps")) == "dense":
            return cls.dense(hidden_size, fields.text("activation"))
        steps = tuple(map(_step, fields.children("steps", most=MOST_STEPS)))
        return cls("steps", steps, fields.choice("pooling", ("first", "mean")))


def _step(fields: Fields) -> HeadStep:
    if fields.choice("kind", ("dense", "norm")) == "norm":
        return NormStep(fields.number("epsilon", least=1e-30, most=1))
    outputs = fields.integer("outputs", least=1, most=MOST_WIDTH)
    return DenseStep(outputs, fields.optional_text("activation"))


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
    """``after``: each half of a layer is normalised together with what it adds to. ``before``: each
    half reads what is normalised, but for the first layer's attention, which reads what the
    embeddings' norm gives; one more norm follows the last layer."""
    norm_epsilon: float
    score_terms: int
    """Scores are divided by the root of ``head_size`` times this."""
    positions: Positions
    feed_forward: FeedForward
    head: Head
    local_attention: LocalAttention | None = None
    segments: Segments | None = None

    @property
    def encoding_layers(self) -> int:
        """How many layers there are before those that look across, if any do."""
        return self.layers - (self.segments.crossing if self.segments else 0)

    def epsilon_of(self, layer: int) -> float:
        """That of the norms in a layer."""
        if self.segments and layer >= self.encoding_layers:
            return self.segments.norm_epsilon
        return self.norm_epsilon

    def has_other_queries(self, layer: int) -> bool:
        """Whether the queries of a layer are of other rows than its keys and values."""
        return layer == self.layer_of_first_tokens or layer >= self.encoding_layers

    @property
    def layer_of_first_tokens(self) -> int | None:
        """The layer that is computed for first tokens alone; None where the head reads all."""
        return None if self.head.pooling == "mean" else self.layers - 1

    @property
    def inner_size(self) -> int:
        """Outputs of a layer's first feed-forward product."""
        return (2 if self.feed_forward.kind == "gated" else 1) * self.intermediate_size

    def is_local(self, layer: int) -> bool:
        """Whether the queries of a layer see only the keys near them."""
        return self.local_attention is not None and layer in self.local_attention.layers

    @property
    def relative_terms(self) -> tuple[str, ...]:
        """The terms of relative positions that attention computes."""
        return self.positions.relative.terms if self.positions.relative else ()

    def to_json(self) -> dict[str, Any]:
        """Return the object that :meth:`parse` reads."""
        value = asdict(self) | {"head": self.head.to_json()}
        if local := value["local_attention"]:
            local["layers"] = list(local["layers"])
        if relative := value["positions"]["relative"]:
            relative["terms"] = list(relative["terms"])
        return value

    @classmethod
    def parse(cls, fields: Fields) -> Architecture:
        """Read the ``architecture`` object of format 2; raises ManifestError."""
        sizes, local = common_sizes(fields), fields.later_child("local_attention")
        segments = fields.later_child("segments")
        return cls(
            family=fields.choice("family", FAMILIES),
            **sizes,
            token_types=fields.integer("token_types", least=0, most=MOST_POSITIONS),
            norm=fields.choice("norm", ("after", "before")),
            norm_epsilon=fields.number("norm_epsilon", least=1e-30, most=1),
            score_terms=fields.integer("score_terms", least=1, most=1 + len(TERMS)),
            positions=Positions.parse(fields.child("positions")),
            feed_forward=FeedForward.parse(fields.child("feed_forward")),
            head=Head.parse(fields.child("head"), sizes["hidden_size"]),
            local_attention=None if local is None else LocalAttention.parse(local, sizes["layers"]),
            segments=None if segments is None else Segments.parse(segments, sizes["layers"]),
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
