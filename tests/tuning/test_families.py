"""Every family and head: what is trained is what the written checkpoint gives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("edge_rerank_tuning")

from edge_rerank.tokenizing.choose import PairTokenizer  # noqa: E402
from edge_rerank_export.checkpoint import open_checkpoint  # noqa: E402
from edge_rerank_export.reference import TorchReference  # noqa: E402
from edge_rerank_tuning.encoding import Encoded  # noqa: E402
from edge_rerank_tuning.model import TunedModel  # noqa: E402
from edge_rerank_tuning.saving import write_checkpoint  # noqa: E402
from tests.conftest import PROBES  # noqa: E402
from tests.export.conftest import TINY, VARIANTS, Make  # noqa: E402
from tests.export.test_modules import HEADS  # noqa: E402
from tests.export.test_modules import checkpoint as with_modules  # noqa: E402
from tests.export.test_two_logits import two  # noqa: E402
from tests.support.segments import write_segment_checkpoint  # noqa: E402

PLAIN = (
    *("xsmall-like", "types", "positions-and-types", "own-projections", "no-buckets", "c2p"),
    *("no-relative", "narrow-embedding", "bert", "roberta", "xlm-roberta", "modernbert"),
    "modernbert-mean",
)
NAMES = (*PLAIN, *HEADS, "two logits", "two logits of deberta", "half precision", "segments")


def made(name: str, make: Make, place: Path) -> tuple[Path, str | None]:
    """Write a checkpoint; return it, and which label means relevant."""
    if name == "segments":
        return write_segment_checkpoint(place / "segments"), None
    if name in HEADS:
        return with_modules(make, *HEADS[name]), None
    if name.startswith("two logits"):
        return two(make, "deberta-v2" if name.endswith("deberta") else "bert"), "yes"
    if name == "half precision":
        return make({}, dtype="bfloat16"), None
    return make(VARIANTS[name]), None


@pytest.mark.parametrize("name", NAMES)
def test_the_written_checkpoint_is_what_was_trained(
    name: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    folder, label = made(name, make_checkpoint, tmp_path)
    checkpoint = open_checkpoint(folder, relevant_label=label)
    tokenizer = PairTokenizer(folder / "tokenizer.json", max_length=96)
    expected = torch.tensor(TorchReference(checkpoint).logits(tokenizer.encode(PROBES)))
    model = TunedModel(checkpoint, "float32")
    encoded = Encoded(tokenizer, PROBES, model.padding)
    assert torch.allclose(scores(model, encoded), expected, atol=2e-4)
    move(model, encoded)
    moved = scores(model, encoded)
    assert (moved - expected).abs().max() > 1e-2
    trained = {key: value.detach() for key, value in model.trained().items()}
    write_checkpoint(checkpoint, trained, tmp_path / "tuned")
    files = [path for path in (tmp_path / "tuned").rglob("*") if path.is_file()]
    assert len({path.stat().st_mode for path in files}) == 1  # the umask's
    again = open_checkpoint(tmp_path / "tuned", relevant_label=label)
    found = torch.tensor(TorchReference(again).logits(tokenizer.encode(PROBES)))
    assert torch.allclose(found, moved, atol=2e-4)
    assert [*again.scoring.stated.values()] == [*checkpoint.scoring.stated.values()]
    assert again.relevant_label == checkpoint.relevant_label


def scores(model: TunedModel, encoded: Encoded) -> Any:
    found = torch.zeros(len(encoded.lengths))
    for places, logits in model.scores(encoded):
        found[places] = torch.tensor(logits)
    return found


def move(model: TunedModel, encoded: Encoded) -> None:
    """Take a step, and hold the word table to its place."""
    words = {k: v.clone() for k, v in model.module.state_dict().items() if not_trained(k, model)}
    model.begin_step()
    (batch,) = encoded.even(range(1, 2))
    model.logits(batch).sum().backward()
    with torch.no_grad():
        for weight in model.trained().values():
            if weight.grad is not None:
                weight += 0.02 * weight.grad.sign()
    assert words
    assert all(torch.equal(model.module.state_dict()[key], value) for key, value in words.items())


def not_trained(name: str, model: TunedModel) -> bool:
    return name not in model.trained() and "embeddings" in name and name.endswith("weight")


@pytest.mark.parametrize("name", ["xsmall-like", "bert", "roberta", "modernbert", "segments"])
def test_what_learns_from_a_teacher_has_no_dropout(
    name: str, make_checkpoint: Make, tmp_path: Path
) -> None:
    """Nowhere: attention drops weights without a module that says so."""
    folder, _ = made(name, make_checkpoint, tmp_path)
    checkpoint = open_checkpoint(folder)
    tokenizer = PairTokenizer(folder / "tokenizer.json", max_length=96)
    found = {}
    for upper_half in (True, False):
        model = TunedModel(checkpoint, "float32", upper_half=upper_half)
        for module in model.module.modules():
            for setting in ("p", "dropout_prob", "attention_dropout"):
                if isinstance(getattr(module, setting, None), float):
                    setattr(module, setting, 0.5)
        expected = torch.tensor(TorchReference(checkpoint).logits(tokenizer.encode(PROBES)))
        model.begin_step()
        (batch,) = Encoded(tokenizer, PROBES, model.padding).even(range(1))
        logits = model.logits(batch)
        assert logits.requires_grad
        found[upper_half] = torch.allclose(logits, expected[:1], atol=2e-4)
    assert found == {True: True, False: False}


def test_attention_without_gathers_where_it_knows_the_shape(
    make_checkpoint: Make, tmp_path: Path
) -> None:
    for name in PLAIN:
        model = TunedModel(open_checkpoint(made(name, make_checkpoint, tmp_path)[0]), "float32")
        known = ("xsmall-like", "types", "positions-and-types", "narrow-embedding")
        assert model.diagonal == (name in known), name


def test_settings_and_licence_go_along(make_checkpoint: Make, tmp_path: Path) -> None:
    folder = make_checkpoint(TINY | {"torch_dtype": "bfloat16"})
    settings = {"activation_fn": "torch.nn.modules.linear.Identity", "model_type": "CrossEncoder",
                "prompts": {"query": "ask: "}, "default_prompt_name": "query"}  # fmt: skip
    (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    entry = {
        "idx": 0,
        "name": "0",
        "path": "",
        "type": "sentence_transformers.base.modules.transformer.Transformer",
    }
    (folder / "modules.json").write_text(json.dumps([entry]))
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# A model\n")
    checkpoint = open_checkpoint(folder)
    trained = {k: v.detach() for k, v in TunedModel(checkpoint, "float32").trained().items()}
    write_checkpoint(checkpoint, trained, tmp_path / "tuned")
    again = open_checkpoint(tmp_path / "tuned")
    assert (again.license, again.scoring.prompt(None)) == (checkpoint.license, "ask: ")
    assert again.scoring.activation(None) == "identity"
    config = json.loads((tmp_path / "tuned" / "config.json").read_text())
    assert config.get("torch_dtype", config.get("dtype")) == "float32"
    assert not list((tmp_path / "tuned").glob("*.bin"))
