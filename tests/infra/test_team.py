"""A whole team's kindex on loopback, by its settings alone: PostgreSQL, an S3 endpoint, Prefect, MLflow, a worker, a night."""

import base64
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from kindex.core import release
from kindex.core.layout import Layout
from tests import projects
from tests.infra import servers
from tests.projects import LINKED, PICTURED, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.long]
ENDED = ("COMPLETED", "FAILED", "CRASHED")  # a run that comes while another works is cancelled


@dataclass
class Team:
    """What was started, and where it can be asked. `secrets` are the passwords of var/team.env by variable."""

    base: Path
    layout: Layout
    secrets: dict[str, str]
    variables: dict[str, str] = field(default_factory=dict)
    parts: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def prefect(self, what: str, question: Any, password: bool = True) -> Any:
        """Prefect's answer to a POST."""
        headers = {"Content-Type": "application/json"}
        if password:
            text = self.variables["PREFECT_SERVER_API_AUTH_STRING"]
            headers["Authorization"] = f"Basic {base64.b64encode(text.encode()).decode()}"
        address = f"{self.variables['PREFECT_API_URL']}/{what}"
        with urllib.request.urlopen(
            urllib.request.Request(address, json.dumps(question).encode(), headers), timeout=20
        ) as answer:
            return json.loads(answer.read() or "null")

    def mlflow(self, what: str, **question: str) -> Any:
        """MLflow's answer to a GET of its REST API."""
        query = "&".join(f"{name}={value}" for name, value in question.items())
        address = f"{self.variables['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/{what}?{query}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            return json.loads(answer.read())

    def psql(self, database: str, command: str) -> str:
        folder = self.base / "postgres"
        port = self.variables["KINDEX_DATABASE"].rpartition(":")[2]
        return servers.as_owner("psql", "-h", str(folder), "-p", port, "-Atc", command, database, cwd=folder)

    def bucket(self) -> Any:
        import boto3

        names = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}
        keys = {name: self.variables[variable] for name, variable in names.items()}
        return boto3.resource("s3", endpoint_url=self.variables["AWS_ENDPOINT_URL"], **keys).Bucket("kindex")

    def run(self, root: Path, *command: str) -> subprocess.CompletedProcess[str]:
        """A command as a person of the team runs it, with the settings in their shell."""
        settings = {**servers.bare_environment(root), **self.variables}
        return subprocess.run(command, cwd=root, env=settings, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def team() -> Iterator[Team]:
    base = Path(tempfile.mkdtemp(prefix="kindex-team-"))
    base.chmod(0o755)  # PostgreSQL's user must come through
    names = ("POSTGRES", "PREFECT_DATABASE", "MLFLOW_DATABASE", "PREFECT_SERVER_API", "AWS_SECRET_ACCESS_KEY")
    found = Team(base, projects.make(base / "project"), {name: f"canary{secrets.token_hex(12)}" for name in names})
    often(found.layout.root / "infra" / "prefect.yaml")
    try:
        with ExitStack() as started:
            port = started.enter_context(servers.postgres(base / "postgres"))
            store = started.enter_context(servers.store(base / "store"))
            write_settings(found, port, store)
            found.bucket().create()
            make_databases(found, port)
            make_repository(found)
            for name in ("prefect", "mlflow", "worker"):
                found.parts[name] = started.enter_context(servers.part(found.layout.root, name, base / f"{name}.log"))
            yield found
    finally:
        shutil.rmtree(base, ignore_errors=True)


def often(deployments: Path) -> None:
    """An interval instead of two o'clock: nothing else differs from what is deployed."""
    settings = yaml.safe_load(deployments.read_text())
    nightly = next(each for each in settings["deployments"] if each["name"] == "nightly")
    assert nightly["schedules"][0]["timezone"] == "UTC"
    nightly["schedules"] = [{"interval": 20, "active": True}]
    deployments.write_text(yaml.safe_dump(settings))


def write_settings(team: Team, database: int, store: str) -> None:
    """var/team.env: the example with its empty places filled in and this test's ports."""
    prefect, mlflow = servers.free_port(), servers.free_port()
    filled = {
        "KINDEX_DATABASE": f"127.0.0.1:{database}",
        "POSTGRES_PASSWORD": team.secrets["POSTGRES"],
        "PREFECT_DATABASE_PASSWORD": team.secrets["PREFECT_DATABASE"],
        "MLFLOW_DATABASE_PASSWORD": team.secrets["MLFLOW_DATABASE"],
        "PREFECT_SERVER_API_AUTH_STRING": f"kindex:{team.secrets['PREFECT_SERVER_API']}",
        "PREFECT_API_URL": f"http://127.0.0.1:{prefect}/api",
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{mlflow}",
        "KINDEX_PREFECT_PORT": str(prefect),
        "KINDEX_MLFLOW_PORT": str(mlflow),
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "team",
        "AWS_SECRET_ACCESS_KEY": team.secrets["AWS_SECRET_ACCESS_KEY"],
    }
    text = (ROOT / "infra" / "team.env.example").read_text()
    for name, value in filled.items():
        text, count = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.M)
        assert count == 1, name
    file = team.layout.var / "team.env"
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)
    file.chmod(0o600)
    script = 'set -a; . "$1"; env -0'
    bare = {"PATH": os.environ["PATH"]}
    shown = subprocess.run(["sh", "-c", script, "sh", str(file)], env=bare, capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in shown.stdout.split("\0") if "=" in line)
    team.variables = {name: value for name, value in variables.items() if name in text}


def make_databases(team: Team, port: int) -> None:
    """infra/databases.sh, as the superuser; twice, for it may be run again."""
    given = {name: team.variables[name] for name in ("PREFECT_DATABASE_PASSWORD", "MLFLOW_DATABASE_PASSWORD")}
    where = {"PGHOST": str(team.base / "postgres"), "PGPORT": str(port), "POSTGRES_USER": servers.superuser()}
    script = team.base / "databases.sh"  # the working tree may be closed to PostgreSQL's user
    shutil.copy(ROOT / "infra" / "databases.sh", script)
    for _ in range(2):
        servers.as_owner("sh", str(script), cwd=team.base / "postgres", **where, **given)


def make_repository(team: Team) -> None:
    """The project under git, with the DVC remote as docs/team.md adds it, in one commit. Nobody told git a name."""
    root = team.layout.root
    shutil.copy(ROOT / ".gitignore", root)
    (root / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")  # as `dvc init` writes it beside git
    with (root / ".gitignore").open("a") as more:
        more.write(".site/\n")
    me = ["-c", "user.name=me", "-c", "user.email=me@example.invalid"]
    for command in (
        ["git", "init", "-q", "-b", "main"],
        ["dvc", "config", "--unset", "core.no_scm"],
        ["dvc", "remote", "add", "--default", "team", "s3://kindex/dvc"],
        ["git", "add", "--all"],
        ["git", *me, "commit", "-qm", "a team's project"],
    ):
        done = team.run(root, *command)
        assert done.returncode == 0, (command, done.stderr)


@pytest.fixture(scope="module")
def night(team) -> dict[str, Any]:
    """The first scheduled run that ended. The schedule is stopped then, so that nothing changes under the tests."""

    def ended() -> list[dict[str, Any]]:
        runs = team.prefect("flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ENDED}}}})
        return [run for run in runs if run["auto_scheduled"] and run["start_time"]]

    log = team.base / "worker.log"
    runs = servers.wait_for(ended, "a scheduled run", team.parts["worker"], log)
    first = min(runs, key=lambda run: run["start_time"])
    for deployment in team.prefect("deployments/filter", {"deployments": {"name": {"any_": ["nightly"]}}}):
        team.prefect(f"deployments/{deployment['id']}/pause_deployment", {})
    going = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}}
    servers.wait_for(lambda: not team.prefect("flow_runs/filter", going), "the end of a later run", None, log)
    return first


def test_a_scheduled_night_fires_by_itself_and_publishes(team, night):
    assert night["state"]["type"] == "COMPLETED", (night["state"], (team.base / "worker.log").read_text()[-3000:])
    for model in (LINKED, PICTURED):
        assert release.verify(team.layout.releases(model)).version == "v0001"
    of_night = {"flow_runs": {"id": {"any_": [night["id"]]}}}
    names = {run["name"] for run in team.prefect("task_runs/filter", of_night)}
    assert {f"train@{LINKED}", f"evaluate@{PICTURED}", f"publish@{LINKED}"} <= names


def test_both_servers_keep_what_they_know_in_their_own_database(team, night):
    assert int(team.psql("prefect", "SELECT count(*) FROM flow_run WHERE state_type = 'COMPLETED'")) >= 1
    assert int(team.psql("mlflow", "SELECT count(*) FROM runs WHERE status = 'FINISHED'")) >= 2
    ways = [("prefect", "mlflow"), ("mlflow", "prefect")]
    crossed = " OR ".join(f"has_database_privilege('{role}', '{other}', 'CONNECT')" for role, other in ways)
    assert team.psql("postgres", f"SELECT {crossed}").strip() == "f"
    assert not list(team.base.rglob("mlflow.db")) and not list(team.base.rglob("prefect.db"))


def test_mlflow_is_told_and_its_artifacts_are_in_the_store(team, night):
    for model in (LINKED, PICTURED):
        told = team.mlflow("registered-models/get", name=model)["registered_model"]
        assert {alias["alias"] for alias in told["aliases"]} >= {"champion", "candidate"}
    keys = [entry.key for entry in team.bucket().objects.filter(Prefix="mlflow/")]
    assert any(key.endswith("report.html") for key in keys)
    assert any(key.endswith("MLmodel") for key in keys)


@pytest.mark.parametrize("model", [LINKED, PICTURED])
def test_a_release_comes_back_from_the_store_into_an_empty_clone(team, night, model):
    """The night tagged what it published and pushed it, by settings alone: a remote in .dvc/config, a key in var/team.env."""
    root, clone = team.layout.root, team.base / f"clone-{model}"
    tag = f"{model}@{night['name'].split()[-1]}.1"
    cloned = team.run(root, "git", "clone", "--quiet", "--branch", tag, str(root), str(clone))
    assert cloned.returncode == 0, cloned.stderr
    assert not (clone / "releases" / model / "v0001").exists() and not (clone / "var").exists()
    pulled = team.run(clone, "dvc", "pull", "--quiet")
    assert pulled.returncode == 0, pulled.stderr
    verified = team.run(clone, sys.executable, "-c", "from kindex.cli import main; main()", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert release.read_manifest(clone / "releases" / model, "v0001") == release.live(team.layout.releases(model))
    here, there = contents(root / "data"), contents(clone / "data")
    assert len(there) > 50 and there.items() <= here.items()
    assert all(name.startswith("evaluate/") for name in here.keys() - there.keys()), "the release has the report and its parts"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of stage outputs; what a stage leaves while it works is in hidden folders."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in named.items() if not name.startswith(".") and "/." not in name}


def test_prefect_answers_nothing_but_its_health_without_the_password(team, night):
    for what in ("flow_runs/filter", "deployments/filter", "work_pools/filter"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            team.prefect(what, {}, password=False)
        assert refused.value.code == 401
    assert servers.answers(f"{team.variables['PREFECT_API_URL']}/health")


def test_every_server_listens_on_loopback_only(team, night):
    doors = {}
    for name, process in team.parts.items():
        for entry in servers.family(process):
            for connection in psutil.Process(int(entry.name)).net_connections("inet"):
                if connection.status == psutil.CONN_LISTEN:
                    doors[connection.laddr.ip, connection.laddr.port] = name
    assert {ip for ip, _ in doors} == {"127.0.0.1"}, doors
    assert {"prefect", "mlflow"} <= set(doors.values())  # a worker listens to the runs that it starts
    opened = team.psql("postgres", "SHOW listen_addresses").strip()
    assert opened == "127.0.0.1"


NEEDED = {
    "prefect": {"PREFECT_DATABASE", "PREFECT_SERVER_API"},
    "mlflow": {"MLFLOW_DATABASE", "AWS_SECRET_ACCESS_KEY"},
    "worker": {"PREFECT_SERVER_API", "AWS_SECRET_ACCESS_KEY"},
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_part_knows_the_passwords_that_it_needs_and_shows_none(team, night, name):
    known = set()
    for entry in servers.family(team.parts[name]):
        words, settings = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        known |= {secret for secret, value in team.secrets.items() if value.encode() in settings}
        assert b"canary" not in words, words
    assert known == NEEDED[name]


def test_no_password_is_written_anywhere(team, night):
    """After all of the above: files of the project, git's objects, logs, both databases' contents, the store's objects."""
    written = {path.relative_to(team.base).as_posix(): path for path in team.base.rglob("*") if path.is_file()}
    del written["project/var/team.env"]
    assert len(written) > 500
    hits = [name for name, path in written.items() if b"canary" in path.read_bytes()]
    everything = ["git", "cat-file", "--batch", "--batch-all-objects"]
    objects = subprocess.run(everything, cwd=team.layout.root, capture_output=True, check=True).stdout
    assert b"params.yaml" in objects
    hits += ["git"] if b"canary" in objects else []
    folder, port = team.base / "postgres", team.variables["KINDEX_DATABASE"].rpartition(":")[2]
    for database in ("prefect", "mlflow"):
        dump = servers.as_owner("pg_dump", "-h", str(folder), "-p", port, "--inserts", database, cwd=folder)
        assert "INSERT INTO" in dump
        hits += [f"database {database}"] if "canary" in dump else []
    stored = list(team.bucket().objects.all())
    assert len(stored) > 50
    hits += [entry.key for entry in stored if b"canary" in entry.get()["Body"].read()]
    assert hits == []


def test_a_part_that_ends_is_missed(team, night):
    """The last test: it ends the worker."""
    started = time.monotonic()
    check = ["sh", str(team.layout.root / "infra" / "start.sh"), "check"]
    settings = servers.bare_environment(team.layout.root, KINDEX_TEAM_ENV="", **team.variables)
    for name in ("prefect", "mlflow", "worker"):
        well = subprocess.run([*check, name], env=settings, capture_output=True, text=True, check=False)
        assert (well.returncode, well.stdout) == (0, f"{name}: answers\n")
    gone = {**settings, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{servers.free_port()}"}
    missed = subprocess.run([*check, "mlflow"], env=gone, capture_output=True, text=True, check=False)
    assert missed.returncode == 6
    assert "refused" in missed.stdout
    assert time.monotonic() - started < 60
