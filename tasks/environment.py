"""The environment that Prefect, MLflow and DVC read when they are imported: set here, once, before any of them is.

Every value is a default (`os.environ.setdefault`): a team's own server, database or home is a variable, not code.
"""

import base64
import http.client
import json
import os
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout

LOOPBACK = ("127.0.0.1", "localhost", "::1")
PASSWORD = 12  # characters at least, of a page on another host; infra/start.sh wants as many


def defaults(layout: Layout) -> dict[str, str]:
    """Our defaults for one project: everything stays inside it, and nothing phones home."""
    return {
        "PREFECT_HOME": str(layout.var / "prefect"),
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "true",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",  # its own default of 20 is too short on a busy machine
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # we print our own lines; Prefect's are in its pages
        "PREFECT_INTERNAL_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
        "PREFECT_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLI_PROMPT": "false",
        "DO_NOT_TRACK": "1",
        "OMP_WAIT_POLICY": "passive",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
        "GX_ANALYTICS_ENABLED": "false",
        "DVC_NO_ANALYTICS": "1",
        "KINDEX_ROOT": str(layout.root),
    }


def settle(layout: Layout) -> None:
    """Set the defaults, and put this interpreter's folder first on PATH: `python` in dvc.yaml must be this one."""
    for name, value in defaults(layout).items():
        os.environ.setdefault(name, value)
    hide_password()
    own = str(Path(sys.executable).parent)
    if os.environ.get("PATH", "").split(os.pathsep)[0] != own:
        os.environ["PATH"] = os.pathsep.join([own, os.environ.get("PATH", os.defpath)])


def hide_password() -> None:
    """Move a password from inside PREFECT_API_URL to PREFECT_API_AUTH_STRING: the address is printed, logged and shown."""
    found = re.fullmatch(r"(\w+://)?([^/?]*)@(.*)", os.environ.get("PREFECT_API_URL", ""))
    if found:
        scheme, password, rest = found.groups(default="")
        os.environ["PREFECT_API_URL"] = scheme + rest
        os.environ.setdefault("PREFECT_API_AUTH_STRING", urllib.parse.unquote(password))


@dataclass(frozen=True)
class Server:
    """Which Prefect server a run talks to. `kind`: given (PREFECT_API_URL), standing (`make ui`), ephemeral or down."""

    kind: str
    address: str = ""
    trouble: str = ""


def server(layout: Layout) -> Server:
    """The server to use; sets PREFECT_API_URL for a standing one. An address that does not answer is `down`."""
    hide_password()
    given = os.environ.get("PREFECT_API_URL")
    if given:
        trouble = unreachable(given)
        return Server("down", given, trouble) if trouble else Server("given", given)
    pages = read_pages(layout)
    if "prefect" in pages:
        address = f"{pages['prefect']}/api"
        if not unreachable(address):
            os.environ["PREFECT_API_URL"] = address
            return Server("standing", address)
    return Server("ephemeral")


def pages_file(layout: Layout) -> Path:
    """Where `make ui` notes the addresses of its pages while it runs."""
    return layout.var / "ui.json"


def read_pages(layout: Layout) -> dict[str, str]:
    """Addresses by name ("prefect", "mlflow") that `make ui` noted; they may have stopped answering since."""
    try:
        return {name: str(url) for name, url in json.loads(pages_file(layout).read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def unreachable(api: str, seconds: float = 2.0) -> str:
    """Why `api` does not answer its health check, or an empty string when it does."""
    try:
        request = urllib.request.Request(f"{api.rstrip('/')}/health", headers=authorization())
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return "" if answer.status == 200 else f"status {answer.status}"
    except urllib.error.HTTPError as error:
        return f"status {error.code}" if error.code >= 500 else ""  # it answers; what it refuses is the client's to say
    except (OSError, ValueError, http.client.HTTPException) as error:  # the last: what answers speaks no HTTP
        return str(getattr(error, "reason", error)) or type(error).__name__


def post(address: str, content: Mapping[str, Any], seconds: float = 2.0) -> None:
    """Send JSON to Prefect's server, once. Raises `OSError` or `http.client.HTTPException` when it does not take it."""
    headers = {"Content-Type": "application/json", **authorization()}
    request = urllib.request.Request(address, json.dumps(content).encode(), headers)
    urllib.request.urlopen(request, timeout=seconds).close()


def authorization() -> dict[str, str]:
    """The headers that prove to Prefect's server who asks."""
    if password := os.environ.get("PREFECT_API_AUTH_STRING"):
        return {"Authorization": f"Basic {base64.b64encode(password.encode()).decode()}"}
    key = os.environ.get("PREFECT_API_KEY")
    return {"Authorization": f"Bearer {key}"} if key else {}


def require_loopback(host: str) -> None:
    """Raise `ConfigError` when `host` is not this machine's own and no password guards the page."""
    user, _, password = os.environ.get("PREFECT_SERVER_API_AUTH_STRING", "").partition(":")
    if host in LOOPBACK or (user and len(password) >= PASSWORD):
        return
    raise ConfigError(
        f"--host is {host!r}, allowed: {', '.join(LOOPBACK)}. "
        f"Another host needs a password: set PREFECT_SERVER_API_AUTH_STRING=user:password, {PASSWORD} characters or more"
    )
