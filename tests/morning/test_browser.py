"""The page in a real browser: nothing runs in it, nothing is asked for, and its charts are there. Skipped without Chromium."""

import shutil
import subprocess

import pytest

from kindex.core.files import pretty_json, read_json
from kindex.core.nights import read_history
from kindex.morning.page import render
from tests.judge.page.test_browser import CHROMIUM, FLAGS
from tests.morning import made_up

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")]


@pytest.mark.parametrize("count", [1, 30, 400])
def test_the_page_opens_offline_and_hostile_text_stays_text(tmp_path, count):
    layout = made_up.write(tmp_path / "project", count)
    path = sorted(layout.nights.glob("*.json"))[-1]
    raw = read_json(path)
    raw["runs"][0]["troubles"] = [[1, "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"]]
    path.write_bytes(pretty_json(raw))
    page = tmp_path / "index.html"
    page.write_text(render(read_history(layout.nights)))
    log = tmp_path / "chrome"
    flags = [*FLAGS, f"--user-data-dir={log}", "--enable-logging=stderr", "--v=0"]
    done = subprocess.run([CHROMIUM, *flags, f"file://{page}"], capture_output=True, text=True, timeout=120, check=False)
    assert "<title>Nights · kindex</title>" in done.stdout
    assert done.stdout.count("<svg") >= 3 + 3 * min(count, 3) and "Refused to" not in done.stderr
    assert "&lt;img src=x" in done.stdout
    shutil.rmtree(log, ignore_errors=True)
