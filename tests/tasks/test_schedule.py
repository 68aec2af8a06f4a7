"""infra/prefect.yaml against the flows that it names; a real server is in tests/flows/test_served.py."""

import ast

import pytest
import yaml

from kindex.core.errors import OutsideError
from kindex.core.layout import Layout
from tasks import schedule
from tests.projects import ROOT

DEPLOYMENTS = {each["name"]: each for each in yaml.safe_load((ROOT / schedule.DEPLOYMENTS).read_text())["deployments"]}
FLOWS = {
    node.name: [argument.arg for argument in node.args.args]
    for node in ast.parse((ROOT / "flows" / "deployed.py").read_text()).body
    if isinstance(node, ast.FunctionDef) and node.decorator_list
}


def test_every_flow_is_deployed_and_every_deployment_is_a_flow():
    assert {name: f"flows.deployed.{name}" for name in FLOWS} == {
        name: each["entrypoint"] for name, each in DEPLOYMENTS.items()
    }
    assert set(FLOWS) == {"nightly", "retrain", "backfill", "watch"}


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_gives_what_its_flow_takes_and_runs_once_at_a_time(name):
    deployment = DEPLOYMENTS[name]
    assert set(deployment.get("parameters", {})) <= set(FLOWS[name])
    assert deployment["concurrency_limit"]["limit"] == 1
    assert deployment["work_pool"]["name"] == schedule.POOL


def test_the_watch_looks_when_a_nights_time_is_over():
    night, watch = (DEPLOYMENTS[name]["schedules"][0]["cron"].split() for name in ("nightly", "watch"))
    hours = DEPLOYMENTS["watch"]["parameters"]["hours"]
    assert int(watch[1]) * 60 + int(watch[0]) > int(night[1]) * 60 + int(night[0]) + hours * 60


def test_what_a_pause_stops_is_deployed():
    assert [name.split("/")[1] for name in schedule.PAUSED] == ["nightly"]


def test_without_a_server_nothing_is_switched(tmp_path, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with pytest.raises(OutsideError, match="does not answer"):
        schedule.switch(Layout(tmp_path), active=False)


def test_people_are_told_when_nights_are_called():
    assert schedule.called(Layout(ROOT)) == "02:00 UTC"
