"""The report in a browser: that it draws, runs nothing from the data, fits a phone and can be read."""

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest

from made.choices import ATTACK, candidates, choice, curves, data, full, mistakes
from triarch.race.report import Mistake, report


@pytest.fixture(scope="module")
def browse(tmp_path_factory) -> Callable[[str, int], str]:
    """Opens a page in Chromium and returns the document as it is then."""
    browser = shutil.which("chromium")
    assert browser, "no browser: apt-get install chromium"
    folder = tmp_path_factory.mktemp("browser")

    def dom(page: str, width: int, dark: bool = False) -> str:
        path = folder / "page.html"
        path.write_text(page)
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--blink-settings=preferredColorScheme={int(not dark)}", f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},1200", "--virtual-time-budget=10000",
            "--dump-dom", path.as_uri(),
        ]  # fmt: skip
        shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
        shutil.rmtree(folder / "profile", ignore_errors=True)
        return shown

    return dom


@pytest.mark.slow
def test_a_browser_draws_the_charts(browse):
    shown = browse(report(choice(), curves(), mistakes()), 1440)
    assert re.search(r'<html[^>]* data-errors=""', shown)
    for name, traces in (("cost", 5), ("learning", 9)):
        chart = shown[shown.index(f'id="{name}"') : shown.index("<figcaption", shown.index(f'id="{name}"'))]
        assert 'class="main-svg"' in chart
        assert len(re.findall(r'class="trace scatter', chart)) == traces
        assert len(re.findall(r'class="(?:point|js-line)', chart)) >= traces


@pytest.mark.slow
def test_a_browser_runs_nothing_from_the_data(browse):
    evil = [Mistake(0, "<img src=x onerror=\"document.title='hacked'\">", ATTACK, ATTACK, 0.5)]
    named = [replace(one, model="<img src=x onerror=alert(1)>" if one.seeds else ATTACK) for one in candidates()]
    shown = browse(report(replace(choice(), candidates=named), curves(), evil), 1440)
    assert re.search(r'<html[^>]* data-errors=""', shown)
    assert "<title>hacked" not in shown
    assert '<img src="x"' not in shown


@pytest.mark.slow
@pytest.mark.parametrize("modality", ["image", "text", "series"])
@pytest.mark.parametrize("kind", ["network", "baseline", "undecided"])
def test_a_phone_scrolls_down_only(browse, modality, kind):
    page = html.escape(report(full(kind), curves(), mistakes(modality), data(modality)))
    frame = f'<iframe style="width:360px;height:640px;border:0" srcdoc="{page}"></iframe>'
    measure = """<script>onload = () => { const root = document.querySelector("iframe").contentDocument.documentElement;
        document.documentElement.dataset.seen = JSON.stringify([root.clientWidth, root.scrollWidth, root.dataset.errors,
        root.querySelectorAll(".chart .main-svg .trace").length]) }</script>"""
    shown = browse(f"<!doctype html><html><body style='margin:0'>{frame}{measure}</body></html>", 800)
    seen = re.search(r'data-seen="([^"]*)"', shown)
    assert seen, shown[:200]
    width, needed, errors, traces = json.loads(html.unescape(seen[1]))
    assert width <= needed <= 360
    assert errors == ""
    assert traces >= 12


CONTRAST = """<script>addEventListener("load", () => setTimeout(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = text => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].map((v, i) => i < 3 ? v : v / 255) };
  const over = (top, under) => top.slice(0, 3).map((v, i) => v * top[3] + under[i] * (1 - top[3]));
  const behind = one => { const layers = [];
    for (let at = one; at; at = at.parentElement) {
      const c = rgba(getComputedStyle(at).backgroundColor); layers.push(c); if (c[3] === 1) break }
    return layers.reverse().reduce((under, layer) => over(layer, under), rgba("Canvas")) };
  const linear = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const [r, g, b] = c.slice(0, 3).map(v => linear(v / 255));
    return .2126 * r + .7152 * g + .0722 * b };
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let texts = 0;
  document.querySelectorAll("details").forEach(one => one.open = true);
  while (walk.nextNode()) {
    const one = walk.currentNode.parentElement, style = getComputedStyle(one);
    if (!walk.currentNode.data.trim() || !one.getClientRects().length || one.closest("script, style")) continue;
    const ground = behind(one), ink = over(rgba(one instanceof SVGElement ? style.fill : style.color), ground);
    const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b), ratio = (high + .05) / (low + .05);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    texts += 1;
    if (ratio < (large ? 3 : 4.5)) found.push([walk.currentNode.data.trim().slice(0, 30), ratio.toFixed(2)]);
  }
  const root = document.documentElement;
  const paper = getComputedStyle(document.body).backgroundColor;
  root.dataset.seen = JSON.stringify([texts, found, paper, root.dataset.errors, root.clientWidth, root.scrollWidth]);
}, 500))</script>"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out(browse, dark):
    page = report(full(), curves(), mistakes("text"), data("image", classes=25))
    shown = browse(page.replace("</body>", f"{CONTRAST}</body>"), 1440, dark)
    texts, faint, paper, errors, width, needed = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', shown)[1]))
    assert texts > 200
    assert faint == []
    assert paper == ("rgb(19, 21, 24)" if dark else "rgb(251, 250, 248)")
    assert errors == ""
    assert needed <= width
