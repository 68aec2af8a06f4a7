"""A tiny project beside real servers: `make ui`, `make schedule`, and a server that dies in the middle of a night."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kindex.core import release
from kindex.core.layout import Layout
from tasks import environment
from tests import projects
from tests.projects import LINKED, PICTURED
from tests.tasks.hearing import hearing

pytestmark = pytest.mark.slow
PATIENCE = 240.0  # seconds; servers start in 20 on an idle machine


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    layout = projects.make(tmp_path_factory.mktemp("served") / "project")
    deployments = layout.root / "infra" / "prefect.yaml"
    text = deployments.read_text()
    assert 'cron: "0 2 * * *"\n        timezone: UTC' in text
    # an interval instead of two o'clock: nothing else differs from what `make schedule` deploys
    lines = [line for line in text.splitlines() if "timezone: UTC" not in line]
    deployments.write_text("\n".join(lines).replace('cron: "0 2 * * *"', "interval: 20"))
    return layout


@pytest.fixture(scope="module")
def pages(layout) -> Iterator[subprocess.Popen[str]]:
    process = projects.start(layout.root, sys.executable, "-m", "tasks.ui")
    try:
        wait_for(lambda: environment.read_pages(layout), "the pages", process)
        yield process
    finally:
        os.kill(process.pid, signal.SIGTERM)
        process.communicate(timeout=60)


def wait_for(question: Any, what: str, process: subprocess.Popen[str] | None = None) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            pytest.fail(f"{what}: the process ended with {process.returncode}: {process.communicate()[0][-3000:]}")
        if answer := question():
            return answer
        time.sleep(0.5)
    return pytest.fail(f"{what} did not come within {PATIENCE:.0f} seconds")


def asked(layout: Layout, what: str, **filters: Any) -> list[dict[str, Any]]:
    """What Prefect's API says of flow runs, task runs or artifacts."""
    address = f"{environment.read_pages(layout)['prefect']}/api/{what}/filter"
    request = urllib.request.Request(address, json.dumps(filters).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: list[dict[str, Any]] = json.loads(answer.read())
    return found


def test_a_scheduled_night_fires_by_itself_and_publishes(layout, pages):
    worker = projects.start(layout.root, sys.executable, "-m", "tasks.schedule")

    def completed() -> list[dict[str, Any]]:
        runs = asked(layout, "flow_runs", flow_runs={"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}}})
        return [run for run in runs if run["auto_scheduled"]]

    try:
        runs = wait_for(lambda: len(found := completed()) > 1 and found, "two scheduled runs", worker)
    finally:
        projects.kill_group(worker)
    first = min(runs, key=lambda run: run["start_time"])
    assert first["state"]["type"] == "COMPLETED", first["state"]["message"]
    again = max(runs, key=lambda run: run["start_time"])
    assert again["state"]["message"] == f"night {first['name'].split()[1]} is done already. Nothing ran; --force runs it again"
    assert re.fullmatch(r"nightly \d{4}-\d\d-\d\d", first["name"])
    for model in (LINKED, PICTURED):
        assert release.verify(layout.releases(model)).version == "v0001"
    of_first = {"flow_runs": {"id": {"any_": [first["id"]]}}}
    names = {run["name"] for run in asked(layout, "task_runs", **of_first)}
    assert {f"train@{LINKED}", f"evaluate@{PICTURED}", f"publish@{LINKED}"} <= names
    kinds = {artifact["key"]: artifact["type"] for artifact in asked(layout, "artifacts", **of_first)}
    assert kinds["nightly"] == "table"
    assert kinds["night"] == "markdown"
    assert kinds[f"report-{LINKED}"] == "markdown"


def test_a_pause_reaches_prefects_schedule_and_resuming_too(layout, pages):
    def active() -> list[bool]:
        found = [one for one in asked(layout, "deployments") if one["name"] == "nightly"]
        return [schedule["active"] for schedule in found[0]["schedules"]]

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = "from kindex.cli import pausing; import sys; pausing."
        return projects.run(layout.root, sys.executable, "-c", f"{code}{arguments[0]}({', '.join(arguments[1:])})")

    assert active() == [True]
    paused = command("pause", "'the disk is moved'")
    assert "Prefect: 1 schedule paused" in paused.stdout, paused.stdout + paused.stderr
    assert active() == [False]
    night = beside(layout)
    assert night.returncode == 0
    assert "the disk is moved" in night.stdout
    assert "Prefect: 1 schedule resumed" in command("resume").stdout
    assert active() == [True]


@pytest.mark.long
def test_alerts_go_to_the_address_in_a_block_of_prefects(layout, pages):
    with hearing() as heard:
        code = f"from prefect.blocks.system import Secret; Secret(value={heard.url()!r}).save('kindex-alerts', overwrite=True)"
        address = f"{environment.read_pages(layout)['prefect']}/api"
        saved = projects.run(layout.root, sys.executable, "-c", code, PREFECT_API_URL=address)
        assert saved.returncode == 0, saved.stderr
        good = (layout.root / "links.csv").read_bytes()
        (layout.root / "links.csv").write_text("basket,fruit\n" + "basket-1,\n" * 50)
        try:
            night = beside(layout)
        finally:
            (layout.root / "links.csv").write_bytes(good)
        assert night.returncode == 3
        assert len(heard.titles) == 1, (heard.titles, night.stdout)
        assert f"{LINKED} failed" in heard.titles[0]
        assert "s3cret" not in night.stdout + night.stderr
        assert beside(layout).returncode == 0
        assert f"{LINKED} recovered" in heard.titles[1]


def test_a_night_with_nothing_new_beside_a_standing_server(layout, pages):
    night = beside(layout)
    assert night.returncode == 0, night.stdout + night.stderr
    assert "unchanged" in night.stdout
    assert "Prefect" in night.stdout.rpartition("\ntime ")[2]  # its share of the time; the line may be folded
    mine = [run for run in asked(layout, "flow_runs") if not run["auto_scheduled"]]
    assert mine[0]["state"]["type"] == "COMPLETED"


def test_a_failed_night_is_a_failed_run_with_its_reason(layout, pages):
    good = (layout.root / "links.csv").read_bytes()
    (layout.root / "links.csv").write_text("basket,fruit\n" + "basket-1,\n" * 50)
    try:
        night = beside(layout)
    finally:
        (layout.root / "links.csv").write_bytes(good)
    assert night.returncode == 3, night.stdout + night.stderr
    failed = asked(layout, "flow_runs", flow_runs={"state": {"type": {"any_": ["FAILED"]}}})
    assert "exit code 3" in failed[0]["state"]["message"]


def test_a_server_that_dies_in_the_night_costs_nothing_but_its_record(layout, pages):
    """The last test: it ends the pages."""
    projects.write_links(layout.root / "links.csv", seed=3)
    night = projects.start(layout.root, sys.executable, "-m", "flows.nightly")
    said = []
    for line in night.stdout:
        said.append(line)
        if f"train@{LINKED}:" in line:
            os.kill(pages.pid, signal.SIGTERM)
    night.wait()
    text = "".join(said)
    assert night.returncode == 0, text
    assert "went on without Prefect" in text
    assert f"evaluate@{LINKED}: " in text
    assert "live (new" in text


def beside(layout: Layout) -> subprocess.CompletedProcess[str]:
    return projects.run(layout.root, sys.executable, "-m", "flows.nightly")


def test_a_page_on_another_host_is_refused_without_a_password(tmp_path):
    (tmp_path / "params.yaml").write_text("")
    refused = projects.run(Path(tmp_path), sys.executable, "-m", "tasks.ui", "--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "needs a password" in refused.stderr


def test_a_schedule_without_a_server_says_what_to_do(tmp_path):
    (tmp_path / "params.yaml").write_text("")
    refused = projects.run(Path(tmp_path), sys.executable, "-m", "tasks.schedule")
    assert refused.returncode == 6
    assert "make ui" in refused.stderr
