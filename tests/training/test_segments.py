"""The segment model: it begins as its teacher, learns on a processor alone, and is kept whole."""

import json
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

from edge_rerank_training.batches import PairEncoder  # noqa: E402
from edge_rerank_training.correct import CorrectionRun, StateLists  # noqa: E402
from edge_rerank_training.errors import TrainingError  # noqa: E402
from edge_rerank_training.running import (  # noqa: E402
    SegmentProgress,
    SegmentRun,
    train_run,
)
from edge_rerank_training.scorers import CheckpointScorer, checkpoint_scorer  # noqa: E402
from edge_rerank_training.segments import (  # noqa: E402
    COSINE_MIDDLE,
    COSINE_SCALE,
    SegmentReranker,
)
from edge_rerank_training.token_states import TextStates, batch_of, text_states  # noqa: E402
from edge_rerank_training.vocabulary import pruned_tokenizer  # noqa: E402

from .test_warm_start import small_bert  # noqa: E402

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"w{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(45)]


def small_tokenizer() -> dict[str, Any]:
    vocabulary = {token: i for i, token in enumerate([*SPECIAL, *WORDS])}
    built = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    built.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    built.add_special_tokens(SPECIAL)
    return pruned_tokenizer(json.loads(built.to_str()), list(range(50)), apart=True)


def small_model() -> tuple[SegmentReranker, PairEncoder]:
    model = SegmentReranker.begin(small_bert(), list(range(50)), seed=0)
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(small_tokenizer()))
    return model, PairEncoder(tokenizer, 64)


def states(model: SegmentReranker, encoder: PairEncoder, texts: list[str]) -> TextStates:
    return text_states(model, encoder, texts, 32, "float32", lambda _: None)


def silent(_: str) -> None:
    pass


def test_each_text_has_a_start_of_its_own_in_a_pair() -> None:
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(small_tokenizer()))
    encoded = tokenizer.encode(WORDS[0], WORDS[1])
    assert encoded.tokens == ["[CLS]", WORDS[0], "[SEP]", "[CLS]", WORDS[1], "[SEP]"]
    assert encoded.type_ids == [0, 0, 0, 1, 1, 1]


def test_the_first_score_is_the_teacher_s_cosine() -> None:
    bert, kept = small_bert(), list(range(0, 50, 2))
    model = SegmentReranker.begin(bert, kept, seed=0)
    query, passage = torch.tensor([[2, 9, 4, 3]]), torch.tensor([[2, 20, 11, 9, 8, 7, 3]])
    with torch.no_grad():
        means = [
            bert(torch.tensor(kept)[ids]).last_hidden_state.mean(1) for ids in (query, passage)
        ]
        found = model(
            *(model.segment(ids, torch.ones_like(ids).bool()) for ids in (query, passage))
        )
    cosine = torch.nn.functional.cosine_similarity(*means)
    assert found.item() == pytest.approx(COSINE_SCALE * (cosine.item() - COSINE_MIDDLE), abs=1e-4)


def test_neighbours_and_padding_change_no_score() -> None:
    model, encoder = small_model()
    torch.nn.init.normal_(model.correction.classifier.weight)
    texts = states(model, encoder, [" ".join(WORDS[:20]), " ".join(WORDS[5:9]), WORDS[30]])
    pairs = [(1, 0), (2, 1), (1, 2)]
    with torch.no_grad():
        together = model(
            batch_of([(texts, q) for q, _ in pairs]), batch_of([(texts, p) for _, p in pairs])
        )
        alone = [model(batch_of([(texts, q)]), batch_of([(texts, p)])).item() for q, p in pairs]
    assert together.tolist() == pytest.approx(alone, abs=1e-4)
    assert np.ptp(alone) > 0.01


def training_lists(model: SegmentReranker, encoder: PairEncoder) -> tuple[StateLists, TextStates]:
    """The answer is the passage with the query's word; the teacher thinks so, too."""
    rng = np.random.default_rng(0)
    asked = [WORDS[i] for i in range(30)]
    passages = [" ".join([word, *rng.choice(WORDS[30:], 4)]) for word in asked]
    rows = [[i, *rng.choice([j for j in range(30) if j != i], 3, replace=False)] for i in range(30)]
    wanted = np.tile(np.array([0.8, 0.3, 0.3, 0.0], dtype=np.float32), (30, 1))
    lists = StateLists(
        states(model, encoder, passages),
        states(model, encoder, asked),
        np.array(rows),
        np.arange(30),
        wanted,
        1.0,
    )
    return lists, states(model, encoder, ["", WORDS[44]])


def begun(
    kind: type[SegmentRun], model: SegmentReranker, kinds: Any, file: Path, **more: Any
) -> Any:
    """Return a run of this kind, as far as the file says."""
    return kind(
        model=model, kinds=kinds, rate=3e-3, precision="float32", seed=0, state_file=file, **more
    )


def first_share(model: SegmentReranker, lists: StateLists) -> float:
    """How often the answer has the highest score."""
    first = 0
    for row, owner in zip(lists.rows, lists.owners, strict=True):
        with torch.no_grad():
            scores = model(
                batch_of([(lists.queries, owner)] * len(row)),
                batch_of([(lists.passages, passage) for passage in row]),
            )
        first += int(scores.argmax() == 0)
    return first / len(lists.rows)


@pytest.mark.usefixtures("one_thread")
def test_training_improves_the_ranking_and_leaves_the_encoder(tmp_path: Path) -> None:
    model, encoder = small_model()
    lists, rubbish = training_lists(model, encoder)
    before, embeddings = first_share(model, lists), model.encoder.state_dict()
    frozen = {name: value.clone() for name, value in embeddings.items()}
    saved: list[int] = []

    def run(steps: int) -> SegmentProgress:
        state = tmp_path / "state.pt"
        training = begun(CorrectionRun, model, [lists], state, rubbish=rubbish)
        return train_run(training, 5.0, steps, lambda progress: saved.append(progress.step), silent)

    first = run(40)
    assert (first.step, first.taken, first.pairs) == (40, [640], 2560)
    second = run(60)
    assert second.step == 60
    assert second.losses[:40] == first.losses, "it takes up where it stopped"
    assert saved == [40, 60]
    assert np.mean(second.losses[-5:]) < np.mean(second.losses[:5])
    assert first_share(model, lists) > before + 0.2
    for name, value in model.encoder.state_dict().items():
        assert torch.equal(value, frozen[name]), name


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_step_finish_and_is_caught_no_longer(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, encoder = small_model()
    lists, rubbish = training_lists(model, encoder)
    run = begun(CorrectionRun, model, [lists], tmp_path / "state.pt", rubbish=rubbish)
    before, step = signal.getsignal(number), CorrectionRun.step

    def signalled(self: CorrectionRun, done: float) -> None:
        signal.raise_signal(number)
        step(self, done)

    monkeypatch.setattr(CorrectionRun, "step", signalled)
    progress = train_run(run, 5.0, 3, lambda _: None, silent)
    assert (progress.step, progress.stopped) == (1, True)
    assert signal.getsignal(number) is before

    def broken(*_: object) -> None:
        raise TrainingError("broken")

    monkeypatch.setattr(CorrectionRun, "step", broken)
    with pytest.raises(TrainingError):
        train_run(run, 5.0, 3, lambda _: None, silent)
    assert signal.getsignal(number) is before


def test_a_checkpoint_scores_as_the_model_did(tmp_path: Path) -> None:
    model, encoder = small_model()
    torch.nn.init.normal_(model.correction.classifier.weight)
    model.encoder.config.name_or_path = "/home/somebody/teacher"
    model.save(small_tokenizer(), tmp_path / "made")
    assert "somebody" not in (tmp_path / "made" / "config.json").read_text("utf-8")
    queries, passages = [WORDS[3], f"{WORDS[4]} {WORDS[9]}"], [" ".join(WORDS[:12]), WORDS[9], ""]
    pairs = np.array([(1, 0), (0, 2), (1, 1), (0, 0)])
    scorer = checkpoint_scorer(tmp_path / "made", "cpu")
    assert not isinstance(scorer, CheckpointScorer)
    of_queries, of_passages = states(model, encoder, queries), states(model, encoder, passages)
    with torch.no_grad():
        expected = model(
            batch_of([(of_queries, q) for q, _ in pairs.tolist()]),
            batch_of([(of_passages, p) for _, p in pairs.tolist()]),
        )
    found = scorer.logits(queries, passages, pairs, silent)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-4)


def test_what_is_no_checkpoint_is_said(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"lacks config\.json"):
        SegmentReranker.load(tmp_path)
    model, _ = small_model()
    model.save(small_tokenizer(), tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(TrainingError, match="segment-bert"):
        SegmentReranker.load(tmp_path)


def test_states_are_kept_for_the_next_run_and_told_from_others(tmp_path: Path) -> None:
    model, encoder = small_model()
    file = tmp_path / "states.npy"

    def kept(texts: list[str]) -> TextStates:
        return text_states(model, encoder, texts, 32, "float32", silent, file)

    texts = [" ".join(WORDS[:6]), WORDS[1]]
    first, again = kept(texts), kept(texts)
    assert np.array_equal(first.states, again.states)
    assert file.exists()
    np.testing.assert_array_equal(first.states, states(model, encoder, texts).states)
    with pytest.raises(TrainingError, match="remove it to renew it"):
        kept([*texts, WORDS[2]])
