"""The picture: well-formed, complete without colour, and safe whatever the names hold."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from edge_rerank.evaluation import (
    Estimate,
    FirstStage,
    ModelComparison,
    QueryTime,
    System,
)
from edge_rerank.evaluation.plot import plot

SVG = "{http://www.w3.org/2000/svg}"


def system(name: str, mean: float, seconds: float | None, stage: str = "bm25") -> System:
    return System(
        name=name,
        first_stage=stage,
        reranked=name != stage,
        measures={"nDCG@10": Estimate(mean, mean - 0.03, mean + 0.02)},
        query_time=None if seconds is None else QueryTime(9, seconds, seconds),
        peak_bytes=1,
        tokens=1,
        truncated=0,
    )


def comparison(*systems: System, stages: tuple[str, ...] = ("bm25",)) -> ModelComparison:
    return ModelComparison(
        collection="c & <d>",
        documents=1400,
        queries=9,
        judged_queries=9,
        seed=None,
        depth=100,
        first_stages=tuple(FirstStage(name, Path(name), 100, 9, 0.5, None) for name in stages),
        models=(),
        systems=systems,
        differences=(),
    )


def parsed(*systems: System, stages: tuple[str, ...] = ("bm25",)) -> ElementTree.Element:
    return ElementTree.fromstring(plot(comparison(*systems, stages=stages)))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_it_can_be_read_without_seeing_it() -> None:
    root = parsed(system("bm25", 0.3, 0.0003), system("mini", 0.4, 0.09))
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}{kind}") for kind in ("title", "desc")]
    assert [element is not None and element.get("id") for element in named] == (
        root.get("aria-labelledby", "").split()
    )
    description = root.findtext(f"{SVG}desc", "")
    assert "1, bm25: 0.300 (0.270 to 0.320), 0.3 ms" in description
    assert "2, mini: 0.400 (0.370 to 0.420), 90 ms" in description
    assert root.findtext(f"{SVG}title") == "nDCG@10 over the time of a query: c & <d>"
    shown = texts(root)
    for piece in ("bm25", "mini", "1", "2", "10", "100"):
        assert piece in shown


def test_better_is_higher_and_slower_further_right() -> None:
    root = parsed(system("bm25", 0.3, 0.001), system("a", 0.4, 0.1), system("b", 0.35, 1.0))
    circles = list(root.iter(f"{SVG}circle"))
    x, y = ([float(circle.get(name, "")) for circle in circles[:3]] for name in ("cx", "cy"))
    assert x == sorted(x)
    assert y[1] < y[2] < y[0]
    assert x[1] - x[0] > 1.9 * (x[2] - x[1])  # two decades, and one
    assert all(72 < value < 502 for value in x)
    assert all(64 < value < 394 for value in y)


def test_a_first_stage_without_a_time_is_a_line() -> None:
    root = parsed(system("dense", 0.3, None, "dense"), system("a", 0.4, 0.1, "dense"))
    dashed = [path for path in root.iter(f"{SVG}path") if path.get("stroke-dasharray")]
    dashed += [group for group in root.iter(f"{SVG}g") if group.get("stroke-dasharray")]
    assert len(dashed) == 1
    assert "0.300 (0.270 to 0.320), time not known" in texts(root)


def test_names_of_any_kind() -> None:
    long = "a-name-that-goes-on-" * 5
    root = parsed(system("<b>\x00\ud800 & 'c'", 0.3, 0.1), system(long, 0.3, 0.1))
    shown = texts(root)
    assert "<b>\ufffd\ufffd & 'c'" in shown
    assert f"{long[:37]}…" in shown
    assert long in root.findtext(f"{SVG}desc", "")


def test_many_systems_and_several_first_stages() -> None:
    names = [f"model {number}" for number in range(20)]
    found = [system("bm25", 0.3, 0.001), *(system(name, 0.3, 0.1) for name in names)]
    found += [system("dense", 0.3, None, "dense"), system("model 0", 0.4, 0.1, "dense")]
    root = parsed(*found, stages=("bm25", "dense"))
    shown = texts(root)
    assert {"model 0 after bm25", "model 0 after dense", "bm25", "dense"} <= set(shown)
    height = float(root.get("height", ""))
    lowest = max(float(element.get("y", "")) for element in root.iter(f"{SVG}text"))
    assert lowest < height


def test_long_times_are_written_out() -> None:
    root = parsed(system("a", 0.3, 12.345), system("b", 0.4, 0.0000001))
    assert "0.300 (0.270 to 0.320), 12,345 ms" in texts(root)
    assert not any("e+" in text or "e-" in text for text in texts(root))


def test_nothing_to_show() -> None:
    assert texts(parsed())[0].startswith("nDCG@10 over the time")
    same = parsed(system("bm25", 0.0, 0.0))
    assert len(list(same.iter(f"{SVG}circle"))) == 2
