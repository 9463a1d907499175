"""The commands: what they refuse, and what they end with."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_rerank_bench import command
from edge_rerank_bench.peers.environments import Environments
from edge_rerank_bench.run import readiness


def test_the_commands_refuse_what_they_do_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="no such environment: jax"):
        command.main(["prepare", "jax"])
    with pytest.raises(SystemExit, match=r"expected light\|openvino\|torch=PYTHON"):
        command.main(["prepare", "--environment", "jax=python"])
    with pytest.raises(SystemExit) as ended:
        command.main(["report", "--section", "unknown"])
    assert ended.value.code == 2
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("missing", "code"),
    [
        ({}, 0),
        ({"xsmall, flashrank": "needs to download its own model; no network here"}, 0),
        ({"xsmall, fastembed": "not installed"}, 1),
    ],
)
def test_prepare_tries_the_models(
    missing: dict[str, str],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Environments, "make", lambda self, name, say: tmp_path)
    monkeypatch.setattr(readiness, "make_ready", lambda *_: missing)
    assert command.main(["prepare", "--models", "--cache", str(tmp_path)]) == code
    said = capsys.readouterr().err
    assert all(f"{name} cannot run: {why}" in said for name, why in missing.items())
