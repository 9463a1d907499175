"""The drop-in CrossEncoder: its types, its keywords, and what it says of those without effect."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_rerank import ClosedError, InputError, Reranker, Windows
from edge_rerank.artifact.folder import write_manifest, write_probes
from edge_rerank.results import sigmoid
from edge_rerank.sentence_transformers import CrossEncoder
from edge_rerank.sentence_transformers.activations import Activation
from tests.conftest import tiny_manifest

QUERY = "how do plants eat"
DOCUMENTS = ["Steel bridges rust.", "Plants make sugar of light.", "", "Rivers flow to the sea."]
PAIRS = [(QUERY, document) for document in DOCUMENTS]
LONG = "The bridge was made of steel. " * 100 + "Plants eat light. " + "It rusts. " * 200


@pytest.fixture(scope="module")
def model() -> Iterator[CrossEncoder]:
    with CrossEncoder() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def direct() -> Iterator[Reranker]:
    with Reranker.load() as loaded:
        yield loaded


@pytest.mark.parametrize(
    "inputs",
    [
        PAIRS,
        [list(pair) for pair in PAIRS],
        tuple(PAIRS),
        np.array(PAIRS),
        np.array(PAIRS, object),
    ],
)
def test_many_pairs_give_an_array(model: CrossEncoder, direct: Reranker, inputs: Any) -> None:
    scores = model.predict(inputs)
    assert isinstance(scores, np.ndarray)
    assert (scores.dtype, scores.shape) == (np.float32, (len(PAIRS),))
    assert scores.tolist() == direct.predict(PAIRS).tolist()


@pytest.mark.parametrize("inputs", [PAIRS[1], list(PAIRS[1]), np.array(PAIRS[1])])
def test_one_pair_gives_a_number(model: CrossEncoder, direct: Reranker, inputs: Any) -> None:
    score = model.predict(inputs)
    assert isinstance(score, np.float32)
    assert score == direct.predict([PAIRS[1]])[0]
    assert model.is_singular_input(inputs)


@pytest.mark.parametrize("inputs", [[], (), np.array([], object)])
def test_nothing_gives_nothing(model: CrossEncoder, inputs: Any) -> None:
    scores = model.predict(inputs)
    assert isinstance(scores, np.ndarray)
    assert scores.shape == (0,)
    assert model.rank(QUERY, []) == []


def test_tensors_where_they_are_asked_for(model: CrossEncoder, direct: Reranker) -> None:
    torch = pytest.importorskip("torch")
    expected = direct.predict(PAIRS).tolist()
    tensor = model.predict(PAIRS, convert_to_tensor=True)
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.dtype, tensor.tolist()) == (torch.float32, expected)
    several = model.predict(PAIRS, convert_to_numpy=False)
    assert isinstance(several, list)
    assert [one.item() for one in several] == expected
    one = model.predict(PAIRS[0], convert_to_tensor=True)
    assert (one.shape, one.item()) == ((), expected[0])
    assert model.predict([], convert_to_tensor=True).shape == (0,)
    assert model.predict([], convert_to_numpy=False) == []


def test_rank_gives_dictionaries_best_first(model: CrossEncoder, direct: Reranker) -> None:
    scores = direct.predict(PAIRS).tolist()
    order = sorted(range(len(PAIRS)), key=lambda place: -scores[place])
    ranked = model.rank(QUERY, DOCUMENTS, return_documents=True)
    assert ranked == [
        {"corpus_id": place, "score": scores[place], "text": DOCUMENTS[place]} for place in order
    ]
    assert all(type(one["score"]) is float for one in ranked)
    top = model.rank(QUERY, DOCUMENTS, top_k=2, convert_to_tensor=True, num_workers=0)
    assert top == [{"corpus_id": place, "score": scores[place]} for place in order[:2]]


def test_equal_scores_keep_their_order(model: CrossEncoder) -> None:
    ranked = model.rank(QUERY, ["a", "a", "a"])
    assert [one["corpus_id"] for one in ranked] == [0, 1, 2]


def test_activations(model: CrossEncoder, direct: Reranker) -> None:
    torch = pytest.importorskip("torch")
    logits = direct.predict(PAIRS, scores="logits")
    assert model.predict(PAIRS, activation_fn=torch.nn.Identity()).tolist() == logits.tolist()
    by_sigmoid = model.predict(PAIRS, activation_fn=torch.nn.Sigmoid())
    assert by_sigmoid.tolist() == sigmoid(logits).tolist()
    assert model.predict(PAIRS, activation_fct=torch.nn.Tanh()) == pytest.approx(np.tanh(logits))
    seen: list[Any] = []

    def own(scores: Any) -> Any:
        seen.append(tuple(scores.shape))
        return scores * 2

    assert model.predict(PAIRS, activation_fn=own).tolist() == (logits * 2).tolist()
    assert seen == [(len(PAIRS), 1)]
    with pytest.raises(InputError, match="made 1 values of 4 logits"):
        model.predict(PAIRS, activation_fn=lambda scores: scores.max())
    with pytest.raises(InputError, match="activation_fn is 'sigmoid'"):
        model.predict(PAIRS, activation_fn="sigmoid")  # type: ignore[arg-type]
    assert type(model.activation_fn) is torch.nn.Sigmoid
    with CrossEncoder(activation_fn=torch.nn.Identity()) as other:
        assert other.predict(PAIRS).tolist() == logits.tolist()
        other.activation_fn = None
        assert other.predict(PAIRS).tolist() == sigmoid(logits).tolist()


def test_without_torch_nothing_imports_it() -> None:
    program = """
import sys
from edge_rerank.sentence_transformers import CrossEncoder
with CrossEncoder(device="cpu") as model:
    print(model.predict(("a", "b")), model.rank("a", ["b"]), model.device, model.activation_fn)
    own = model.predict([("a", "b")], activation_fn=lambda logits: logits * 2)
sys.modules["torch"] = None
try:
    model.predict([("a", "b")], convert_to_tensor=True)
except Exception as error:
    print(type(error).__name__)
assert not {"torch", "sentence_transformers", "transformers", "tqdm"} & {
    name for name, module in sys.modules.items() if module is not None
}
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "cpu Activation('sigmoid')" in done.stdout
    # A closed one says so before tensors come into it.
    assert done.stdout.splitlines()[-1] == "ClosedError"


def test_prompts_are_put_before_the_query(direct: Reranker) -> None:
    prompts = {"ask": "question: ", "none": ""}
    asked = [("question: " + query, document) for query, document in PAIRS]
    expected = direct.predict(asked).tolist()
    with CrossEncoder(prompts=prompts) as model:
        assert model.predict(PAIRS, prompt_name="ask").tolist() == expected
        assert model.predict(PAIRS, prompt="question: ").tolist() == expected
        assert model.predict(PAIRS).tolist() == direct.predict(PAIRS).tolist()
        ranked = model.rank(QUERY, DOCUMENTS, prompt_name="ask")
        assert sorted(one["score"] for one in ranked) == sorted(expected)
        with pytest.raises(ValueError, match="there is no prompt 'x'; there are"):
            model.predict(PAIRS, prompt_name="x")
    with CrossEncoder(prompts=prompts, default_prompt_name="ask") as model:
        assert model.predict(PAIRS).tolist() == expected
        plain = direct.predict(PAIRS).tolist()
        assert model.predict(PAIRS, prompt_name="none").tolist() == plain
    with pytest.raises(ValueError, match="there is no prompt 'x'"):
        CrossEncoder(prompts=prompts, default_prompt_name="x")


def test_a_model_s_own_prompt_is_put_there_once(
    make_artifact: Callable[..., Path],
) -> None:
    folder = make_artifact()
    with Reranker.load(folder) as plain:
        expected = plain.predict([("how " + QUERY, "plants")]).tolist()
    manifest = replace(tiny_manifest(), prompt="how ", prompts={"ask": "how ", "other": "do "})
    write_probes(folder, ())
    write_manifest(folder, manifest)
    with CrossEncoder(folder) as model:
        pairs = [(QUERY, "plants")]
        assert model.prompts == {"ask": "how ", "other": "do "}
        assert model.predict(pairs).tolist() == expected
        assert model.predict(pairs, prompt_name="ask").tolist() == expected
        assert model.predict(pairs, prompt="how ").tolist() == expected
        others: list[dict[str, Any]] = [{"prompt_name": "other"}, {"prompt": ""}]
        for other in others:
            with pytest.raises(InputError, match="this model puts 'how ' before each query"):
                model.predict(pairs, **other)


def test_lengths(direct: Reranker) -> None:
    with Reranker.load(max_length=64) as short:
        expected = short.predict([(QUERY, LONG)]).tolist()
    assert expected != direct.predict([(QUERY, LONG)]).tolist()
    for keywords in (
        {"max_length": 64},
        {"processor_kwargs": {"model_max_length": 64}},
        {"tokenizer_args": {"model_max_length": 64}},
    ):
        with CrossEncoder(**keywords) as model:
            assert model.max_length == model.max_seq_length == 64
            assert model.predict([(QUERY, LONG)]).tolist() == expected
    with CrossEncoder(None, 1, 64) as model:
        assert model.max_seq_length == 64
        model.max_length = 512
        assert model.predict([(QUERY, LONG)]).tolist() == direct.predict([(QUERY, LONG)]).tolist()
        call = {"text": {"max_length": 64, "truncation": True}}
        assert model.predict([(QUERY, LONG)], processing_kwargs=call).tolist() == expected
        assert model.max_length == 512
        with pytest.raises(InputError, match="max_length is 513"):
            model.max_length = 513
        assert model.max_length == 512
        with pytest.raises(InputError, match="truncation: not known here"):
            model.predict(PAIRS, processing_kwargs={"text": {"truncation": False}})


def test_long_documents(direct: Reranker) -> None:
    how = Windows(overlap=0, max_windows=5)
    expected = direct.predict([(QUERY, LONG)], long_documents=how).tolist()
    with CrossEncoder(long_documents=how) as model:
        assert model.predict([(QUERY, LONG)]).tolist() == expected


def test_keywords_without_effect_are_named_in_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with CrossEncoder(
        cache_folder="/x", trust_remote_code=True, token=None, backend="onnx",
        model_kwargs={"dtype": "float16"}, automodel_args={}, local_files_only=False,
    ):  # fmt: skip
        pass
    (record,) = (one for one in caplog.records if "CrossEncoder" in one.message)
    assert "CrossEncoder: cache_folder, trust_remote_code, backend, model_kwargs" in record.message
    caplog.clear()
    with CrossEncoder(
        device="cpu", num_labels=1, backend="torch", token=None, trust_remote_code=False
    ):
        pass
    assert not [one for one in caplog.records if "CrossEncoder" in one.message]


def test_names_of_earlier_releases_work_and_are_warned_of(
    model: CrossEncoder, direct: Reranker, caplog: pytest.LogCaptureFixture
) -> None:
    expected = direct.predict(PAIRS, scores="logits").tolist()
    old = model.predict(sentences=PAIRS, activation_fct=lambda logits: logits, num_workers=2)
    assert old.tolist() == expected
    assert "CrossEncoder: sentences, activation_fct, num_workers: of earlier" in caplog.text
    both = model.predict(PAIRS, activation_fct=lambda x: x * 0, activation_fn=lambda logits: logits)
    assert both.tolist() == expected
    caplog.clear()
    assert type(model.rank(QUERY, DOCUMENTS, convert_to_tensor=True)[0]["score"]) is float
    assert "CrossEncoder.rank: convert_to_tensor: no effect" in caplog.text


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"device": "cuda"}, "device is 'cuda'"),
        ({"device": ["cpu", "mps"]}, "device is 'mps'"),
        ({"num_labels": 3}, "num_labels is 3"),
        ({"modules": []}, "modules= is not supported"),
        ({"colour": 1}, "no keyword 'colour'"),
        ({"long_documents": "chunks"}, "long_documents is 'chunks'"),
        ({"query_max_tokens": 0}, "query_max_tokens is 0"),
        ({"model_name": "cross-encoder/ms-marco-MiniLM-L6-v2"}, "edge-rerank export cross-enc"),
    ],
)
def test_what_cannot_be_followed_is_refused(keywords: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        CrossEncoder(**keywords)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"device": "cuda:1"}, "device is 'cuda:1'"),
        ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
        ({"colour": 1}, "colour: not known here"),
    ],
)
def test_a_call_s_keywords_are_refused(model: CrossEncoder, keywords: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.predict(PAIRS, **keywords)
    keywords.pop("colour", None)
    if keywords:
        with pytest.raises(ValueError, match=message):
            model.rank(QUERY, DOCUMENTS, **keywords)
    with pytest.raises(InputError, match="rank has no keyword 'colour'"):
        model.rank(QUERY, DOCUMENTS, colour=1)


def test_a_commit_is_held_to_what_was_exported(caplog: pytest.LogCaptureFixture) -> None:
    with CrossEncoder(revision="main"):
        assert "revision: no effect here" in caplog.text


def test_a_bar_is_shown_where_it_is_asked_for(
    model: CrossEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tqdm")
    model.predict(PAIRS, show_progress_bar=True)
    assert "4/4" in capsys.readouterr().err
    model.predict(PAIRS, show_progress_bar=False)
    model.predict(PAIRS)
    assert capsys.readouterr().err == ""
    logger = logging.getLogger("edge_rerank")
    logger.setLevel(logging.INFO)
    try:
        model.rank(QUERY, DOCUMENTS)
    finally:
        logger.setLevel(logging.NOTSET)
    assert "4/4" in capsys.readouterr().err


def test_what_user_code_touches(model: CrossEncoder) -> None:
    assert model.to("cpu").eval() is model
    assert (model.num_labels, model.config.num_labels, model.config.pad_token_id) == (1, 1, 0)
    assert model.get_backend() in ("native", "onnxruntime")
    assert model.supports("text")
    assert not model.supports("image")
    pool = model.start_multi_process_pool()
    assert model.predict(PAIRS, pool=pool, chunk_size=2).shape == (4,)
    model.stop_multi_process_pool(pool)
    assert not hasattr(model, "model")
    with pytest.raises(AttributeError, match="no 'fit': train with sentence-transf"):
        model.fit()
    with pytest.raises(AttributeError, match=r"has no 'colour'$"):
        _ = model.colour


def test_a_copy_scores_alike() -> None:
    model = CrossEncoder(max_length=64)
    expected = model.predict(PAIRS).tolist()
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again.max_length == 64
        assert again.predict(PAIRS).tolist() == expected
        again.close()
    model.close()
    with pytest.raises(ClosedError):
        model.predict(PAIRS)


def test_ours_stands_in_for_torch_s_activation() -> None:
    logits = np.array([-1.0, 0.0, 2.0], np.float32)
    assert Activation("sigmoid")(logits).tolist() == sigmoid(logits).tolist()
