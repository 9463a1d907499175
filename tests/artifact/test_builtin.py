"""The model that ships: sensible, close to fp32, and the same score in any company."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_rerank import Reranker
from edge_rerank.artifact.builtin import builtin_model
from edge_rerank.artifact.folder import load_artifact, load_probes
from edge_rerank.machine.threads import usable_threads

WORDS = [
    *("the", "heat", "of", "a", "wing", "flow", "layer", "boundary", "shock", "plants"),
    *("light", "water", "file", "list", "size", "bread"),
]


@pytest.fixture(scope="module")
def reranker() -> Iterator[Reranker]:
    with Reranker.load() as loaded:
        yield loaded


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    rng = random.Random(3)
    return [
        (
            " ".join(rng.choices(WORDS, k=rng.randint(1, 8))),
            " ".join(rng.choices(WORDS, k=rng.randint(0, 300))),
        )
        for _ in range(60)
    ]


def test_the_answer_comes_first(reranker: Reranker) -> None:
    documents = [
        "Steel bridges rust where paint has flaked off and salt water stands.",
        "The option -S makes ls order its output by file size, largest first.",
        "A crusty loaf is started hot and finished at two hundred degrees.",
        "To remove a directory and all that is in it, give rm the option -r.",
    ]
    ranked = reranker.rank("how do I list files sorted by size", documents)
    assert ranked[0].index == 1
    assert ranked[0].score > 0.5
    assert {hit.index for hit in ranked[2:]} == {0, 2}


def test_parity_with_fp32_is_what_the_manifest_says(reranker: Reranker) -> None:
    artifact = load_artifact(builtin_model())
    probes = load_probes(artifact)
    expected = np.array([probe.logit for probe in probes])
    found = reranker.predict([(probe.query, probe.document) for probe in probes], scores="logits")
    rms = float(np.sqrt(((found - expected) ** 2).mean()))
    assert 0 < rms < 0.10 * expected.std()
    recorded = artifact.manifest.parity["int8_against_fp32_graph"]["rms_error"]
    assert rms == pytest.approx(recorded, rel=0.5)


def test_a_pair_scores_the_same_in_any_company(
    reranker: Reranker, pairs: list[tuple[str, str]]
) -> None:
    together = reranker.predict(pairs, scores="logits")
    assert np.ptp(together) > 1
    alone = np.concatenate([reranker.predict([pair], scores="logits") for pair in pairs])
    np.testing.assert_array_equal(alone, together)
    order = list(range(len(pairs)))
    random.Random(4).shuffle(order)
    shuffled = reranker.predict([pairs[index] for index in order], scores="logits")
    np.testing.assert_array_equal(shuffled, together[order])
    twice = reranker.predict(pairs + pairs, scores="logits")
    np.testing.assert_array_equal(twice, np.concatenate([together, together]))


def test_the_number_of_threads_does_not_matter(
    reranker: Reranker, pairs: list[tuple[str, str]]
) -> None:
    if usable_threads() == 1:
        pytest.skip("only one thread may run here")
    with Reranker.load(threads=1) as single:
        np.testing.assert_array_equal(single.predict(pairs), reranker.predict(pairs))


def test_it_is_small() -> None:
    size = sum(path.stat().st_size for path in builtin_model().iterdir())
    assert size <= 25_000_000


def test_its_licence_and_origin_are_recorded() -> None:
    manifest = json.loads((Path(builtin_model()) / "manifest.json").read_text("utf-8"))
    assert manifest["license"] == "Apache-2.0"
    assert manifest["precision"] == "int8"
