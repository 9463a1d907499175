"""The harness's own logic, offline and without an emulator."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_rerank.errors import InputError
from edge_rerank.pairs import check_text
from tools.emulation.__main__ import main
from tools.emulation.cache import STAMP, cache_folder, cached
from tools.emulation.check import row_of
from tools.emulation.commands import describe_exit, run_quietly
from tools.emulation.compare import Row, Scores, compare
from tools.emulation.cpus import CPUS, EmulatedCpu, find_cpus, kernels
from tools.emulation.errors import EmulationError
from tools.emulation.machine import Machine
from tools.emulation.models import Model, find_models
from tools.emulation.pairs import PairSet, Part, full, reduced
from tools.emulation.report import as_json, as_line, as_table
from tools.emulation.runs import SLOW, Run, emulated_runs, verify_runs, with_models
from tools.emulation.staging import REPOSITORY, staged

A76 = EmulatedCpu("cortex-a76", "aarch64", "", ("asimddp",))


def scores(logits: list[float], engine: str = "onnxruntime", **details: object) -> Scores:
    """Make what a run on A76 would give."""
    bits = tuple(np.array(logits, np.float32).view(np.uint32).tolist())
    about = {"name": engine, "details": details}
    return Scores(bits, ("asimddp",), tuple("ids" for _ in logits), about, 1.0)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_RERANK_EMULATION_CACHE", str(tmp_path))
    return tmp_path


def test_the_cache_is_filled_once(cache: Path) -> None:
    made: list[Path] = []

    def make(into: Path) -> None:
        made.append(into)
        (into / "file").write_text(f"{len(made)}")

    folder = cached("thing", {"version": 1}, make)
    assert folder.parent == cache
    assert cached("thing", {"version": 1}, make) == folder
    assert len(made) == 1
    assert made[0] != folder
    assert json.loads((folder / STAMP).read_text()) == {"version": 1}
    assert cached("thing", {"version": 2}, make) != folder
    assert cached("thing", {"version": 1}, make, refresh=True) == folder
    assert (folder / "file").read_text() == "3"


def test_what_failed_half_way_is_never_taken(cache: Path) -> None:
    def fail(into: Path) -> None:
        (into / "file").write_text("half")
        raise EmulationError("the network is gone")

    def make(into: Path) -> None:
        assert not list(into.iterdir())
        (into / "file").write_text("whole")

    with pytest.raises(EmulationError):
        cached("thing", {}, fail)
    assert [path for path in cache.iterdir() if path.is_dir()] == []
    folder = cached("thing", {}, make)
    (folder / STAMP).unlink()  # as if the stamp had never been written
    leftover = folder.with_name(f"{folder.name}.partial")
    leftover.mkdir()
    (leftover / "file").write_text("of a process that was killed")
    assert (cached("thing", {}, make) / "file").read_text() == "whole"
    assert not leftover.exists()


def test_where_the_cache_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_RERANK_EMULATION_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/edge-rerank/emulation")


def test_cpus_are_found_by_name() -> None:
    assert [cpu.name for cpu in find_cpus(["haswell", "MAX"])] == ["Haswell", "max"]
    with pytest.raises(EmulationError, match=r"no CPU 'i386' here; expected one of Haswell"):
        find_cpus(["i386"])
    assert len({cpu.name.lower() for cpu in CPUS}) == len(CPUS)
    assert {cpu.machine for cpu in CPUS if cpu.reduced} == {"x86_64", "aarch64"}


def test_kernels_follow_from_features() -> None:
    assert kernels("x86_64", ()) == ["sse41", "scalar"]
    assert kernels("x86_64", ("avx2", "avx_vnni")) == ["avx_vnni", "avx2", "sse41", "scalar"]
    assert kernels("aarch64", ("asimddp", "i8mm")) == [
        *("neon_i8mm", "neon_dotprod", "neon", "scalar"),
    ]


def test_each_kernel_is_run_where_it_is_chosen_or_else_once() -> None:
    a72, nehalem = find_cpus(["cortex-a72", "Nehalem"])
    onnx = Run(A76, "onnxruntime", part=Part.SOME)
    assert emulated_runs([A76], native=False) == [onnx]
    assert emulated_runs([A76], native=False, patient=True) == [Run(A76, "onnxruntime")]
    assert emulated_runs([A76], native=True)[1:] == [
        Run(A76, "native"),
        Run(A76, "native", "neon"),
        Run(A76, "native", "scalar", Part.SHORT),
    ]
    assert emulated_runs([a72, A76, nehalem], native=True)[3:] == [
        Run(a72, "native"),
        Run(a72, "native", "scalar", Part.SHORT),
        Run(A76, "native"),
        Run(nehalem, "native"),
        Run(nehalem, "native", "scalar", Part.SHORT),
    ]


def test_verify_is_run_with_the_default_engine_and_never_with_the_slow_kernel() -> None:
    assert verify_runs([A76], native=True) == [Run(A76, "native", verify=True)]
    assert verify_runs([A76], native=False) == [Run(A76, "onnxruntime", verify=True)]
    assert all(kernels(cpu.machine, cpu.features)[0] != SLOW for cpu in CPUS)


def test_every_model_is_run_the_slow_runs_last() -> None:
    one, two = Model("one", None), Model("two", Path("two"))
    runs = [Run(A76, "onnxruntime"), Run(A76, "native", "scalar", Part.SHORT), Run(A76, "native")]
    assert [(run.model.name, run.engine, run.kernel) for run in with_models(runs, [one, two])] == [
        *(("one", "onnxruntime", None), ("one", "native", None), ("two", "native", None)),
        *(("one", "native", "scalar"), ("two", "native", "scalar")),
    ]


def test_models_are_found_by_name(tmp_path: Path, artifact_path: Path) -> None:
    built_in, own = find_models(["built-in", str(artifact_path)])
    assert built_in == Model("built-in", None)
    assert own == Model("tiny", artifact_path)
    with pytest.raises(EmulationError, match=r"no model '.*'; expected built-in, xsmall or an"):
        find_models([str(tmp_path)])


def test_pairs_are_the_same_on_every_run_and_usable() -> None:
    for made, ranked in ((full(), 100), (reduced(), 24)):
        assert made == (full() if len(made.pairs) > 500 else reduced())
        assert len(made.ranked) == ranked
        assert len({query for query, _ in made.ranked}) == 1
        assert made.pairs[:ranked] == list(made.ranked)
        for query, document in made.pairs:
            check_text(query, "query")
            check_text(document, "document")
        assert any(not query for query, _ in made.varied)
        assert any(not text.isascii() for _, text in made.varied)
    assert len(full().pairs) >= 500
    assert len(full().places(Part.SHORT)) == 500
    assert len(reduced().places(Part.SHORT)) == 10
    assert reduced().places(Part.SOME) == [*range(24), *range(24, 40, 3)]
    with pytest.raises(InputError):
        check_text(None, "a text")


def compared(found: Scores, reference: Scores, cpu: EmulatedCpu | None = A76) -> Row:
    row = Row("cortex-a76", str(found.engine["name"]), None)
    compare(row, found, reference, cpu, ranked=100)
    return row


def test_equal_scores_have_no_problems() -> None:
    found = scores([float(value) for value in range(150)])
    row = compared(found, found)
    assert (row.rms, row.largest, row.tau, row.swapped, row.differing) == (0, 0, 1, 0, 0)
    assert row.problems == []


def test_small_differences_pass_for_onnxruntime_and_not_for_the_native_engine() -> None:
    logits = [float(value) for value in range(150)]
    moved = [*logits[:-1], 149.1]
    assert compared(scores(moved), scores(logits)).problems == []
    able = {"kernel": "neon_dotprod", "kernels": ["neon_dotprod", "neon", "scalar"]}
    row = compared(scores(moved, "native", **able), scores(logits, "native", **able))
    assert row.problems == ["1 of 150 logits are not the same to the last bit"]
    assert row.kernel == "neon_dotprod"


def test_minus_zero_is_not_the_same_as_zero() -> None:
    able = {"kernels": ["neon_dotprod", "neon", "scalar"]}
    row = compared(scores([0.0, 1.0], "native", **able), scores([-0.0, 1.0], "native", **able))
    assert row.differing == 1


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda logits: [value * 1.1 for value in logits], "sigma rms"),
        (lambda logits: [*logits[:-1], logits[-1] + 10], "a logit differs by"),
        (lambda logits: [logits[1], logits[0], *logits[2:98], logits[99], logits[98]], None),
        (lambda logits: logits[:50][::-1] + logits[50:], "change places"),
        (lambda logits: [float("nan"), *logits[1:]], "nan sigma"),
    ],
)
def test_large_differences_are_problems(change: object, problem: str | None) -> None:
    assert callable(change)
    logits = [float(value) for value in range(100)]
    row = compared(scores(change(logits)), scores(logits))
    assert any(problem in text for text in row.problems) if problem else not row.problems


def test_passages_that_are_all_but_equal_may_change_places_and_others_may_not() -> None:
    # A standard deviation is 28.9 here: 2 are 0.07 of it, 4 are 0.14.
    logits = [float(value) for value in range(100)]
    row = compared(scores([2.5, *logits[1:]]), scores(logits))
    assert row.swapped == pytest.approx(2 / 28.866, rel=1e-4)
    assert row.tau == pytest.approx(1 - 2 * 2 / 4950)
    assert row.problems == []
    # Each has moved by less than what a single logit may.
    moved = [2.5, 1.0, 2.0, 3.0, 1.5, *logits[5:]]
    row = compared(scores(moved), scores(logits))
    assert row.problems == ["passages 0.1386 sigma apart change places; at most 0.1"]


def test_other_token_ids_and_wrong_detection_are_problems() -> None:
    reference = scores([1.0, 2.0], "native", kernels=["neon"])
    found = replace(reference, ids=("other", "ids"), features=("i8mm",))
    assert compared(found, reference).problems == [
        "the tokenizer gives other token ids",
        "finds the features ('i8mm',); expected ('asimddp',)",
        "finds the kernels ['neon']; expected ['neon_dotprod', 'neon', 'scalar']",
    ]
    assert compared(found, found, None).problems == []
    unknown = replace(reference, features=None, engine={"name": "onnxruntime", "details": {}})
    plain = EmulatedCpu("cortex-a72", "aarch64", "", ())
    assert compared(unknown, unknown, plain).problems == [
        "finds the features None; expected ()",
    ]


def test_runs_are_compared_with_this_machine_s() -> None:
    pairs = PairSet((("q", "a"), ("q", "b")), (("r", "c"),), 1)
    able = {"kernels": ["neon_dotprod", "neon", "scalar"], "kernel": "scalar"}
    host, every = scores([1.0, 2.0, 3.0], "native", **able), scores([1.0], "native", **able)
    slow = Run(A76, "native", "scalar", Part.SHORT)
    row = row_of(slow, every, host, pairs)
    assert (row.pairs, row.differing, row.problems) == (1, 0, [])
    assert as_line(row) == ("cortex-a76, built-in, native scalar: 1 pairs, same bits: holds (1 s)")
    assert row_of(slow, "SIGILL", host, pairs).problems == ["SIGILL"]
    row = row_of(slow, every, None, pairs)
    assert as_line(row).startswith(
        "cortex-a76, built-in, native scalar: there is nothing to compare with"
    )


def test_what_verify_found() -> None:
    agreement = {"pairs": 34, "rms_in_sigma": 0.03, "max_in_sigma": 0.1, "kendall_tau": 0.99}
    good = {"name": "rms_error", "passed": True, "found": "0.03", "expected": "0.05"}
    bad = {"name": "threads", "passed": False, "found": "2 differ", "expected": "the same bits"}
    report = {
        "cpu": {"features": ["asimddp"]},
        "engine": {"details": {"kernel": "neon_dotprod"}},
        "agreement": agreement,
        "checks": [good, {**good, "passed": None}],
        "seconds": 2.0,
    }
    pairs = PairSet((), (), 1)
    row = row_of(Run(A76, "native", verify=True), report, None, pairs)
    assert as_line(row) == (
        "cortex-a76, verify built-in, native neon_dotprod: 34 pairs, 0.0300 sigma rms from fp32: "
        "holds (2 s)"
    )
    broken = {**report, "agreement": None, "engine": None, "checks": [good, bad]}
    row = row_of(Run(A76, "native", verify=True), broken, None, pairs)
    assert row.problems == ["threads: 2 differ; expected the same bits"]
    assert "edge-rerank verify" in as_table([row])


def test_reports() -> None:
    good, bad = Row("host", "onnxruntime", None), Row("max", "native", "neon", problems=["SIGILL"])
    good.rms = good.largest = 0.0
    good.tau, good.swapped, good.differing, good.pairs, good.features = 1.0, 0.0, 0, 150, ()
    lines = as_table([good, bad]).splitlines()
    cells = [cell.strip() for cell in lines[4].strip("|").split("|")]
    assert cells[:6] == ["host", "-", "built-in", "onnxruntime", "-", "150"]
    assert cells[6:] == ["0.0000", "0.0000", "1.0000", "0.0000", "same", "-"]
    assert lines[-1] == "max, built-in, native neon: SIGILL"
    assert as_table([good]).splitlines()[-1] == "all of it holds"
    assert json.loads(as_json([good, bad]))["holds"] is False
    assert json.loads(as_json([good]))["runs"][0]["tau"] == 1.0


def test_how_a_program_ended() -> None:
    assert describe_exit(3) == "exit status 3"
    assert describe_exit(-4) == describe_exit(132) == "SIGILL"
    with pytest.raises(EmulationError, match="not on this machine: install it"):
        run_quietly(["no-such-program"], remedy="install it")
    with pytest.raises(EmulationError, match=r"(?s)exit status 7: try again.*  bad luck"):
        run_quietly(["sh", "-c", "echo bad luck; exit 7"], remedy="try again")


def test_settings_for_this_machine_s_cpu_are_not_passed_on() -> None:
    current = {"OPENBLAS_CORETYPE": "Haswell", "PYTHONPATH": "/x", "LD_PRELOAD": "x", "HOME": "/h"}
    environment = Machine(("qemu", "python"), Path("/packages")).environment(Path("/it"), current)
    assert environment == {"HOME": "/h", "PYTHONPATH": "/it:/packages"}


def test_the_copy_of_the_project_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.emulation.staging.has_native", lambda: False)
    with staged("x86_64") as folder:
        assert (folder / "edge_rerank/models/mini/manifest.json").is_file()
        assert not (folder / "edge_rerank/_native").exists()
        assert (folder / "pyproject.toml").read_text() == (
            REPOSITORY / "pyproject.toml"
        ).read_text()
    assert not folder.exists()


def test_mistakes_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "i386", "--", "python", "-V"]) == 2
    assert "there is no CPU 'i386'" in capsys.readouterr().err
    assert main(["run", "Haswell", "--", "ls"]) == 2
    assert "it must start with python" in capsys.readouterr().err
