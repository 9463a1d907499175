"""The pages for people, in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.browser import CHROMIUM, Browser, browsing
from tests.server.running import Running, serving

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


def test_a_browser_gets_the_page_and_nobody_else(server: Running) -> None:
    page = server.get("/", BROWSER)
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"http://" not in page.body.replace(b"http://www.w3.org", b"")
    assert b"https://" not in page.body
    assert b"https://" not in server.get("/docs").body
    assert server.get("/").json == {"status": "ok"}


def test_no_page() -> None:
    with serving("--no-page") as server:
        assert server.get("/", BROWSER).json == {"status": "ok"}
        assert server.get("/docs").status == 404


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, server: Running) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("profile")) as started:
        started.open(f"{server.address}/")
        started.wait("document.querySelectorAll('#model option').length > 0")
        yield started


def fill(browser: Browser, query: str, passages: list[str]) -> None:
    browser.run(f"document.getElementById('query').value = {json.dumps(query)}")
    browser.run(f"document.getElementById('passages').value = {json.dumps(chr(10).join(passages))}")


@pytest.mark.slow
@needs_browser
def test_passages_are_ranked_with_the_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    fill(browser, "how do plants eat?", ["Steel.", "Plants eat light.", "<b>bold</b> " * 900])
    browser.run("document.getElementById('query').focus()")
    browser.key("Enter", 13)
    browser.wait("document.querySelectorAll('#list li').length === 3")
    first = browser.run("document.querySelector('#list .text').textContent")
    assert first == "Plants eat light."
    assert browser.run("document.querySelectorAll('#list b').length") == 0
    assert "cut" in browser.run("document.querySelector('#list .mark').textContent")
    status = browser.run("document.getElementById('status').textContent")
    assert "3 passages" in status
    assert " ms" in status
    widths = browser.run("[...document.querySelectorAll('.track span')].map(b => b.offsetWidth)")
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0
    assert browser.run("document.activeElement.id") == "results-head"
    browser.key("Tab", 9)
    assert browser.run("document.activeElement.id") == "curl"
    colours = set()
    for mode in ("light", "dark"):
        media = [{"name": "prefers-color-scheme", "value": mode}]
        browser.call("Emulation.setEmulatedMedia", features=media)
        colours.add(browser.run("getComputedStyle(document.querySelector('.mark')).color"))
        browser.screenshot(tmp_path / f"{mode}.png")
    assert len(colours) == 2


@pytest.mark.slow
@needs_browser
def test_windows_mark_the_part_that_counts(browser: Browser) -> None:
    long = "\U0001f331 steel. " * 400 + "Plants eat light and make sugar. " + "Bridges rust. " * 400
    fill(browser, "how do plants eat?", ["Steel.", long])
    browser.run("document.getElementById('windows').click()")
    try:
        browser.run("document.getElementById('rank').click()")
        browser.wait("document.querySelectorAll('#list mark').length === 1")
        assert "Plants eat light" in browser.run("document.querySelector('#list mark').textContent")
        shown = browser.run("document.querySelector('#list .text:has(mark)').textContent")
        assert shown == long.strip()
        assert "windows is marked" in browser.run(
            "document.querySelector('#list .mark').textContent"
        )
        top = "document.querySelector('#list .text:has(mark)').scrollTop"
        assert browser.run(top) > 0
    finally:
        browser.run("document.getElementById('windows').click()")


@pytest.mark.slow
@needs_browser
def test_screen_readers_find_every_part_by_its_name(browser: Browser) -> None:
    nodes: list[Any] = browser.call("Accessibility.getFullAXTree")["nodes"]
    found = {
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    }
    roles = {role for role, _ in found}
    assert {"main", "banner", "status", "list"} <= roles
    named = {role: name for role, name in found if role in ("combobox", "button", "heading")}
    assert all(named.values())
    assert ("textbox", "Query") in found
    assert any(role == "textbox" and name.startswith("Passages") for role, name in found)


@pytest.mark.slow
@needs_browser
def test_nothing_is_fetched_from_elsewhere(browser: Browser, server: Running) -> None:
    sent = [e["params"]["request"]["url"] for e in browser.named("Network.requestWillBeSent")]
    assert len(sent) >= 3
    assert all(url.startswith((server.address, "data:")) for url in sent)
    assert not browser.named("Log.entryAdded")
    assert not browser.named("Runtime.exceptionThrown")


@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("kind", ["asCurl", "asPython"])
def test_what_is_copied_runs(browser: Browser, tmp_path: Path, kind: str) -> None:
    query, passages = 'it\'s "quoted" \\ $HOME `x` é', ["it's one", 'two "quoted" \\n', "drei €"]
    fill(browser, query, passages)
    browser.run("document.getElementById('form').requestSubmit()")
    browser.wait("last !== null && last.documents.length === 3")
    browser.wait("!document.getElementById('rank').disabled")
    text = browser.run(f"{kind}(last)")
    shown = browser.run("[...document.querySelectorAll('.score')].map(s => s.textContent)")
    command = ["sh", "-c", text] if kind == "asCurl" else [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    if kind == "asCurl":
        results = json.loads(done.stdout)["results"]
        scores = [result["relevance_score"] for result in results]
    else:
        scores = [float(line.split()[0]) for line in done.stdout.splitlines()]
    assert [f"{score:.4f}" for score in scores] == shown


@pytest.mark.slow
@needs_browser
def test_a_file_is_read(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "passages.jsonl"
    file.write_text('{"text": "Plants eat\\nlight."}\nplain line\n', "utf-8")
    document = browser.call("DOM.getDocument")["root"]["nodeId"]
    node = browser.call("DOM.querySelector", nodeId=document, selector="#file")["nodeId"]
    browser.call("DOM.setFileInputFiles", nodeId=node, files=[str(file)])
    browser.wait("document.getElementById('passages').value.startsWith('Plants')")
    assert browser.run("passages()") == ["Plants eat light.", "plain line"]


@pytest.mark.slow
@needs_browser
def test_the_routes_are_shown(tmp_path: Path, server: Running) -> None:
    with browsing(tmp_path / "profile") as started:
        started.open(f"{server.address}/docs")
        started.wait("document.querySelectorAll('details').length > 10")
        assert "/v1/rerank" in started.run("document.getElementById('routes').textContent")
