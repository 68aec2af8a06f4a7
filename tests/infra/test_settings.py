"""What compose.yaml, the images and the example of settings promise, without Docker: doors closed, pins kept, no passwords."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from tests.infra.starting import MLFLOW, PREFECT, starter
from tests.projects import ROOT

INFRA = ROOT / "infra"
COMPOSE = yaml.safe_load((INFRA / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINS = {
    name: version
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", line)
}
EXAMPLE = dict(re.findall(r"^([A-Z_]+)=(.*)$", (INFRA / "team.env.example").read_text(), re.M))
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?:(:?[-?])([^}]*))?\}")
SECRET = re.compile(r"PASSWORD$|SECRET|AUTH_STRING$")
OURS = ["prefect", "mlflow", "worker"]
IMAGES = {path.name.removesuffix(".Dockerfile"): path for path in (INFRA / "images").glob("*.Dockerfile")}
KEYS = {"build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "init", "ports", "restart"}
KEYS |= {"security_opt", "shm_size", "stop_grace_period", "user", "volumes"}
"""Keys of a service that we use, all of the Compose specification; Compose itself refuses a file with any other."""


def instructions(image: str) -> list[tuple[str, str]]:
    lines = IMAGES[image].read_text().replace("\\\n", " ").splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line and not line.startswith("#")]  # type: ignore[misc]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_well_formed_and_looked_after(name):
    service = SERVICES[name]
    assert service.keys() <= KEYS
    check = service["healthcheck"]
    assert check["test"][0] == "CMD" and check.keys() >= {"interval", "timeout", "retries"}
    assert service["restart"] == "unless-stopped"
    for other, how in service.get("depends_on", {}).items():
        assert other in SERVICES and how == {"condition": "service_healthy"}


def test_every_port_is_loopbacks():
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert not any("network_mode" in service or service.get("privileged") for service in SERVICES.values())


@pytest.mark.parametrize("name", OURS)
def test_our_containers_start_what_the_tests_start_without_docker(name):
    service = SERVICES[name]
    assert service["command"] == ["sh", "infra/start.sh", name]
    assert service["healthcheck"]["test"] == ["CMD", "sh", "infra/start.sh", "check", name]
    assert service["environment"]["KINDEX_TEAM_ENV"] == "", "or a file of the mounted project would win over compose.yaml"
    assert service["cap_drop"] == ["ALL"] and service["init"]


def test_no_password_has_a_default_and_every_variable_is_explained():
    text = (INFRA / "compose.yaml").read_text()
    for name, sign, default in VARIABLE.findall(text):
        assert name in EXAMPLE, f"team.env.example does not name {name}"
        if SECRET.search(name):
            assert sign == ":?", f"{name} must be asked for, not {sign}{default}"
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name):
                assert VARIABLE.match(str(value)), f"{name}={value}"
    for name, value in EXAMPLE.items():
        if SECRET.search(name):
            assert not value or VARIABLE.fullmatch(value), f"{name} of team.env.example has a value"


def test_containers_get_the_passwords_of_their_own_only():
    asked = {name: set(VARIABLE.findall(yaml.safe_dump(service))) for name, service in SERVICES.items()}
    secret = {name: {variable for variable, *_ in found if SECRET.search(variable)} for name, found in asked.items()}
    assert secret == {
        "postgres": {"POSTGRES_PASSWORD", "PREFECT_DATABASE_PASSWORD", "MLFLOW_DATABASE_PASSWORD"},
        "prefect": {"PREFECT_DATABASE_PASSWORD", "PREFECT_SERVER_API_AUTH_STRING"},
        "mlflow": {"MLFLOW_DATABASE_PASSWORD", "AWS_SECRET_ACCESS_KEY"},
        "worker": {"PREFECT_SERVER_API_AUTH_STRING", "AWS_SECRET_ACCESS_KEY"},
    }


@pytest.mark.parametrize("image", IMAGES)
def test_images_are_built_from_the_constraints(image):
    steps = instructions(image)
    version = re.fullmatch(r"python:(\d+\.\d+)\.\d+-slim-\w+", steps[0][1])
    requires = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert steps[0][0] == "FROM" and version and f">={version[1]}," in requires
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert installs and all(" -c constraints.txt " in line for line in installs)
    if image == "worker":
        assert f"torch=={PINS['torch']}" in installs[0], "torch first"
    for line in installs:
        for word in line.partition("constraints.txt")[2].split():
            if re.match(r"[a-z]", word):
                wanted = Requirement(word)
                assert wanted.name in PINS, f"{wanted.name} is not pinned"
                assert not wanted.specifier or str(wanted.specifier) == f"=={PINS[wanted.name]}"
    assert "USER" in dict(steps) or SERVICES[image]["user"]


@pytest.mark.parametrize("image", IMAGES)
def test_images_hold_what_they_name_and_nothing_else_of_the_project(image):
    copied = [name for word, rest in instructions(image) if word == "COPY" for name in rest.split()[:-1]]
    assert all((ROOT / name).exists() for name in copied)
    let = (INFRA / "images" / f"{image}.Dockerfile.dockerignore").read_text().split()
    assert let[0] == "*", "var/team.env and data must not reach the builder"
    assert {line[1:] for line in let if line.startswith("!")} == set(copied)


def test_the_pinned_database_is_what_the_tests_start():
    image = SERVICES["postgres"]["image"]
    assert re.fullmatch(r"postgres:15\.\d+-\w+", image)


@pytest.fixture
def start(tmp_path):
    """infra/start.sh beside a `python` that only says how it was called."""
    return starter(tmp_path)


def test_a_part_starts_on_loopback_by_default(start):
    assert "called: -m prefect server start --host 127.0.0.1 --port 4200" in start("prefect", **PREFECT).stdout
    assert "called: -m mlflow server --host 127.0.0.1 --port 5000" in start("mlflow", **MLFLOW).stdout


@pytest.mark.parametrize("password", ["", "team", "team:", ":0123456789ab", "team:short", "0123456789ab"])
def test_prefect_starts_with_a_password_only(start, password):
    for host in ("127.0.0.1", "0.0.0.0"):
        given = {**PREFECT, "PREFECT_SERVER_API_AUTH_STRING": password, "KINDEX_PREFECT_HOST": host}
        refused = start("prefect", **given)
        assert refused.returncode == 2 and refused.stdout == ""
        assert "PREFECT_SERVER_API_AUTH_STRING" in refused.stderr
        assert not password or password not in refused.stderr.replace("USER:PASSWORD", "")
    assert "--host 0.0.0.0" in start("prefect", **PREFECT, KINDEX_PREFECT_HOST="0.0.0.0").stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "example.org", "127.0.0.1.example.org", "::"])
def test_mlflow_which_asks_for_no_password_stays_on_loopback(start, host):
    for published in ("", "0.0.0.0", host):
        refused = start("mlflow", **MLFLOW, KINDEX_MLFLOW_HOST=host, KINDEX_PUBLISHED_ON=published)
        assert refused.returncode == 2 and refused.stdout == ""
        assert f"KINDEX_MLFLOW_HOST is {host}, allowed: 127.0.0.1" in refused.stderr
    assert f"--host {host}" in start("mlflow", **MLFLOW, KINDEX_MLFLOW_HOST=host, KINDEX_PUBLISHED_ON="127.0.0.1").stdout


@pytest.mark.parametrize(("part", "whole"), [("prefect", PREFECT), ("mlflow", MLFLOW)])
def test_an_empty_setting_is_named(start, part, whole):
    for name in whole:
        refused = start(part, **{**whole, name: ""})
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"start.sh: {name} ")


@pytest.mark.parametrize("wrong", [[], ["postgres"], ["Prefect"]])
def test_no_other_part(start, wrong):
    refused = start(*wrong)
    assert refused.returncode == 2
    assert "allowed: prefect, mlflow, worker, check" in refused.stderr


def test_the_file_of_settings_is_there_and_its_owners_alone(start, tmp_path):
    file = tmp_path / "team.env"
    missing = start("prefect", KINDEX_TEAM_ENV=str(file))
    assert missing.returncode == 2 and f"no {file}: " in missing.stderr
    assert missing.returncode == 2 and "copy infra/team.env.example there" in missing.stderr
    file.write_text("".join(f"{name}={value}\n" for name, value in PREFECT.items()))
    file.chmod(0o644)
    open_to_all = start("prefect", KINDEX_TEAM_ENV=str(file))
    assert open_to_all.returncode == 2 and f"chmod 600 {file}" in open_to_all.stderr
    file.chmod(0o600)
    for name in (str(file), file.name):  # a bare name is of the folder that one is in, not looked for on PATH
        assert start("prefect", KINDEX_TEAM_ENV=name).returncode == 0


def test_an_empty_address_of_the_store_is_amazons(start):
    assert "AWS_ENDPOINT_URL" not in start("mlflow", **MLFLOW, AWS_ENDPOINT_URL="").stdout
    assert "AWS_ENDPOINT_URL=http://s" in start("mlflow", **MLFLOW, AWS_ENDPOINT_URL="http://s").stdout


@pytest.mark.slow
def test_the_workers_image_can_install_what_it_copies(tmp_path):
    """pip's step of worker.Dockerfile, without the packages that the image has by then."""
    for word, rest in instructions("worker"):
        if word == "COPY":
            *names, _ = rest.split()
            for name in names:
                source = ROOT / name
                shutil.copytree(source, tmp_path / name) if source.is_dir() else shutil.copy(source, tmp_path)
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--target", str(tmp_path / "target")]
    command = [sys.executable, "-m", "pip", "install", *options, "-e", ".[team]"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(Path(tmp_path / "target").glob("*kindex*"))
