"""``edge-rerank verify``: what it prints, its exit codes, and the user's own texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_rerank.artifact.folder import load_artifact, load_probes
from edge_rerank.cli import main
from edge_rerank.installation import install_command
from tests.support.made_collection import write_collection
from tests.support.tampering import edit_json

Verify = Callable[..., tuple[int, str, str]]
PAIRS = [
    {"query": "how do plants eat", "document": "plants eat light"},
    {"query": "how do plants eat", "document": "steel bridge"},
    {"query": "wing", "document": "lift of a wing"},
]


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str]) -> Verify:
    def run(*arguments: object) -> tuple[int, str, str]:
        code = main(["verify", *map(str, arguments)])
        return (code, *capsys.readouterr())

    return run


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(pair) + "\n" for pair in PAIRS), "utf-8")
    return path


def test_a_sound_model(verify: Verify, artifact_path: Path) -> None:
    code, out, err = verify(artifact_path)
    assert (code, err) == (0, "")
    for piece in (
        *("tiny", "model.onnx ", "  ok", "onnxruntime 1.", "limits: fp32", "rms error "),
        *("logits)  at most 0.00", "the same bits", "holds: 16 checks, "),
    ):
        assert piece in out
    assert "FAILED" not in out


def test_json(verify: Verify, artifact_path: Path) -> None:
    code, out, err = verify(artifact_path, "--json", "--threads", 1)
    facts = json.loads(out)
    assert (code, err, facts["holds"]) == (0, "", True)
    assert facts["engine"]["threads"] == 1
    assert facts["agreement"]["pairs"] == len(load_probes(load_artifact(artifact_path)))
    assert {check["name"]: check["passed"] for check in facts["checks"]}["threads"] is None


def test_a_model_that_does_not_hold(verify: Verify, make_artifact: Callable[..., Path]) -> None:
    folder = make_artifact()

    def change(value: dict[str, Any]) -> None:
        value["pairs"][0]["logit"] += 0.5

    size = (folder / "probes.json").stat().st_size
    edit_json(folder / "probes.json", change)
    text = json.dumps(json.loads((folder / "probes.json").read_text("utf-8")))
    (folder / "probes.json").write_text(text.ljust(size), "utf-8")
    code, out, err = verify(folder)
    assert (code, err) == (1, "")
    assert "FAILED" in out
    assert "probes.json differs" in out
    assert "-> a file is damaged or altered: copy or export the artifact again" in out
    code, out, err = verify(folder, "--skip-checksums")
    assert code == 1
    assert "not tried  checksums" in out
    assert "FAILED     rms error" in out
    assert "does NOT hold: " in out
    code, out, _ = verify(folder, "--json")
    assert (code, json.loads(out)["holds"], json.loads(out)["agreement"]) == (1, False, None)


def test_a_model_that_cannot_be_opened(verify: Verify, tmp_path: Path) -> None:
    code, out, err = verify(tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert err.startswith("edge-rerank: ")
    assert err.endswith("nowhere: no such folder; expected a model folder, as edge-rerank export m"
                        "akes\n")  # fmt: skip
    code, out, _ = verify(tmp_path / "nowhere", "--json")
    facts = json.loads(out)
    assert (code, facts["holds"]) == (1, False)
    assert facts["error"]["type"] == "ArtifactNotFoundError"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pairs", "x"], "--pairs compares with a reference: name an fp32 artifact by --ref"),
        (["--reference", "x"], "--reference needs texts to compare on: --pairs FILE or --coll"),
        (["--reference", "x", "--pairs", "nowhere"], "nowhere: cannot be read"),
        (["--collection", "nowhere"], "nowhere: has no corpus.jsonl and no queries.jsonl and no"),
        (["--tolerance", "0"], "--tolerance is 0.0; expected a number above 0"),
        (["--threads", "0"], "--threads: '0' is not a whole number from 1, or auto"),
        (
            ["--thread", "x"],
            "verify: unrecognized arguments: --thread; did you mean --threads? (",
        ),
    ],
)
def test_wrong_usage(
    verify: Verify, artifact_path: Path, arguments: list[str], message: str
) -> None:
    code, out, err = verify(artifact_path, *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_pairs_against_a_reference(verify: Verify, artifact_path: Path, pairs: Path) -> None:
    code, out, err = verify(artifact_path, "--reference", artifact_path, "--pairs", pairs)
    assert code == 0
    assert err == "edge-rerank: scoring 3 pairs with both models\n"
    assert "on your pairs, against the reference:" in out
    assert "by query       kendall tau 1.0000, top k overlap 1.0000, means over 1 queries" in out
    code, out, err = verify("--reference", artifact_path, "--pairs", pairs, "--json")
    facts = json.loads(out)
    assert (code, facts["holds"]) == (1, False)  # the built-in model is another one
    assert "the reference is of another checkpoint" in err
    assert facts["comparison"]["overall"]["pairs"] == 3
    assert facts["own_checks"][0]["name"] == "rms_error_on_pairs"
    assert facts["evaluation"] is None


def test_a_bad_line_is_named(verify: Verify, artifact_path: Path, pairs: Path) -> None:
    with pairs.open("a") as stream:
        stream.write('{"query": "a"}\n')
    code, out, err = verify(artifact_path, "--reference", artifact_path, "--pairs", pairs)
    assert (code, out) == (2, "")
    assert f"{pairs}:4: no field 'document', only query; name it with --text-field" in err


def test_a_collection(verify: Verify, artifact_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    folder = write_collection(tmp_path / "small")
    code, out, err = verify(artifact_path, "--collection", folder)
    assert code == 0
    assert "collection small: 3 queries, 5 documents, " in out
    assert "nDCG@10, model less BM25: " in out
    assert "Recall@10, model less BM25: " in out
    assert "edge-rerank: scoring " in err
    code, out, _ = verify(
        artifact_path, "--reference", artifact_path, "--collection", folder, "--json"
    )
    facts = json.loads(out)
    assert code == 0
    assert set(facts["evaluation"]["means"]) == {"BM25", "reference", "model"}
    assert facts["own_checks"][0]["name"] == "rms_error_on_collection"


def test_a_collection_without_the_extra(
    verify: Verify, artifact_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    code, out, err = verify(artifact_path, "--collection", write_collection(tmp_path / "small"))
    assert (code, out) == (1, "")
    assert install_command("evaluation") in err
