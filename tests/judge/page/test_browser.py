"""In a real browser: the map answers, and hostile text does nothing there. Skipped where there is no Chromium."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from kindex.judge.page import render
from tests.judge.page.made_up import COSTS, HOSTILE, compared, evidence, release, verdict

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")]

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *(
        "--disable-sync",
        "--disable-component-update",
        "--force-device-scale-factor=1",
        "--virtual-time-budget=4000",
        "--dump-dom",
    ),
]

# A browser that only dumps its document draws no frames, so the probe calls the steps of animation by a timer.
PROBE = """{
window.requestAnimationFrame = (step) => setTimeout(step, 1);
const seen = { errors: [] };
addEventListener("error", (event) => seen.errors.push(String(event.message)));
const query = (name) => document.querySelector(name);
const canvas = query("canvas");
const pixels = () => [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
const differing = (a, b) => a.filter((value, n) => value !== b[n]).length;
const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
addEventListener("load", async () => {
  await frames();
  seen.ready = "ready" in query("[data-map]").dataset;
  seen.legend = [...document.querySelectorAll("[data-legend] button")].map((button) => button.textContent);
  const before = pixels();
  query("[data-legend] button").click();
  await frames();
  seen.filtered = differing(before, pixels()) > 0;
  query("[data-legend-all]").click();
  query("[data-search]").value = "ITEM 11";
  query("[data-search]").dispatchEvent(new Event("input"));
  await frames();
  seen.found = [query("[data-found-count]").textContent, query("[data-found-list]").textContent];
  query("[data-found-list] button")?.click();
  await frames();
  seen.card = query("[data-card]").hidden ? null : query("[data-card]").textContent;
  seen.pca = pixels();
  query("[value=pca]").click();
  await frames();
  seen.pca = differing(seen.pca, pixels()) > 0;
  canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  await frames();
  seen.cleared = query("[data-card]").hidden;
  query("[data-search]").value = "";
  query("[data-search]").dispatchEvent(new Event("input"));
  await frames();
  const uncoloured = pixels();
  query("[data-by]").value = "1";
  query("[data-by]").dispatchEvent(new Event("change"));
  await frames();
  seen.by = [...document.querySelectorAll("[data-legend] button")].map((button) => button.textContent);
  seen.recoloured = differing(uncoloured, pixels()) > 0;
  seen.wide = document.documentElement.scrollWidth > innerWidth;
  document.documentElement.dataset.seen = JSON.stringify(seen);
});
}"""


def dumped(page, tmp_path, width=1280):
    """The document after its scripts ran, and what our probe saw there."""
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    command = [
        CHROMIUM,
        *FLAGS,
        f"--window-size={width},2400",
        f"--user-data-dir={tmp_path / 'profile'}",
        (tmp_path / "page.html").as_uri(),
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    seen = re.search(r'data-seen="([^"]*)"', dom)
    return dom, json.loads(unescape(seen[1])) if seen else None


def probed(page):
    """The page with our probe and without its policy, which would rightly refuse the probe."""
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    return bare.replace("</body>", f"<script>{PROBE}</script></body>")


def test_the_map_filters_searches_switches_and_clears(tmp_path):
    page = render(evidence(), COSTS, verdict(), release(), compared=compared())
    seen = dumped(probed(page), tmp_path)[1]
    assert seen == {
        "errors": [],
        "ready": True,
        "legend": ["numpy4", "torch4", "no distribution4"],
        "filtered": True,
        "found": ["1 match", "item 11"],
        "card": "item 11licence: MITwhat it is",
        "by": ["BSD6", "MIT6"],
        "recoloured": True,
        "pca": True,
        "cleared": True,
        "wide": False,
    }


def test_its_own_script_runs_under_its_own_policy(tmp_path):
    dom = dumped(render(evidence(), COSTS), tmp_path)[0]
    assert 'data-ready=""' in dom


@pytest.mark.parametrize("width", [1280, 500], ids=["desk", "phone"])  # Chromium makes no window below 500
def test_hostile_text_never_runs_even_without_the_policy(tmp_path, width):
    texts = iter(HOSTILE * 40)
    beside = compared(lambda word: next(texts))
    told = verdict(lambda word: HOSTILE[1]), release(lambda word: HOSTILE[2])
    page = render(evidence(lambda word: next(texts), items=60), COSTS, *told, compared=beside)
    dom, seen = dumped(probed(page), tmp_path, width)
    assert "data-broken" not in dom.split(">", 3)[1], "a script of the data ran"
    assert seen["errors"] == [] and seen["ready"]
    assert not seen["wide"], "a long text widened the page"
