"""What the loss rewards, and that the precision can be chosen."""

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from edge_rerank_training.losses import list_loss  # noqa: E402
from edge_rerank_training.precision import chosen_precision, products_in  # noqa: E402

ANSWER_FIRST = torch.tensor([[4.0, 0.0, -4.0]])
OTHER_FIRST = torch.tensor([[0.0, 4.0, -4.0]])
TEACHER = torch.tensor([[0.2, 0.7, 0.0]])
"""It holds another passage for the best than the label does."""


def test_the_label_and_the_teacher_share_the_ranking() -> None:
    by_label, by_teacher = (
        [list_loss(logits, TEACHER, weight).item() for logits in (ANSWER_FIRST, OTHER_FIRST)]
        for weight in (1.0, 0.0)
    )
    assert by_label[0] < by_label[1]
    assert by_teacher[0] > by_teacher[1]
    half = list_loss(ANSWER_FIRST, TEACHER, 0.5).item()
    assert half == pytest.approx((by_label[0] + by_teacher[0]) / 2, rel=1e-5)


def test_what_is_off_topic_must_be_low() -> None:
    raised = ANSWER_FIRST + torch.tensor([[0.0, 0.0, 4.0]])
    assert list_loss(ANSWER_FIRST, TEACHER, 1.0) < list_loss(raised, TEACHER, 1.0)


def test_the_precision() -> None:
    assert chosen_precision("float32", "cpu") == "float32"
    assert chosen_precision("auto", "cpu") in {"float32", "bfloat16"}
    rows = torch.ones(2, 3)
    for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        with products_in(precision, "cpu"):
            assert (rows @ rows.T).dtype == dtype
