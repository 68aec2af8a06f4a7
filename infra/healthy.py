"""`sh infra/start.sh check PART`: does a part of a team's kindex answer? Exit code 0, or 6 and why not.

The containers' health checks run this file, too; it needs nothing but Python.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

POOL = "kindex"  # of tasks/schedule.py
PREFECT = os.environ.get("PREFECT_API_URL") or "http://127.0.0.1:4200/api"
MLFLOW = os.environ.get("MLFLOW_TRACKING_URI") or "http://127.0.0.1:5000"
SILENT = timedelta(seconds=90)  # three heartbeats of a worker


def asked(address: str, question: dict[str, Any] | None = None, password: str | None = None) -> str:
    """The answer's text. Raises `OSError` (with its subclass `HTTPError`) or `ValueError` when there is none."""
    headers = {"Content-Type": "application/json"}
    if password:
        headers["Authorization"] = f"Basic {base64.b64encode(password.encode()).decode()}"
    body = None if question is None else json.dumps(question).encode()
    with urllib.request.urlopen(urllib.request.Request(address, body, headers), timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def working() -> bool:
    """Whether a worker of the pool has been heard of lately. Prefect keeps the time of each worker's last heartbeat."""
    answer = asked(f"{PREFECT}/work_pools/{POOL}/workers/filter", {}, os.environ.get("PREFECT_API_AUTH_STRING"))
    try:
        heard = [datetime.fromisoformat(worker["last_heartbeat_time"]) for worker in json.loads(answer)]
        return any(datetime.now(UTC) - when < SILENT for when in heard)
    except (KeyError, TypeError):
        raise ValueError(f"what answers at {PREFECT} is no Prefect server") from None


LOOKS = {
    "prefect": lambda: bool(asked(f"{PREFECT}/health")),
    "mlflow": lambda: bool(asked(f"{MLFLOW}/health")),
    "worker": working,
}


def main(part: str) -> int:
    """The command line. Returns the exit code."""
    if part not in LOOKS:
        print(f"check: {part!r} is no part, allowed: {', '.join(LOOKS)}", file=sys.stderr)
        return 2
    try:
        well, why = LOOKS[part](), f"no worker of the pool {POOL!r} was heard of in {SILENT.seconds} seconds"
    except (OSError, ValueError) as error:
        well, why = False, str(getattr(error, "reason", error))
    print(f"{part}: {'answers' if well else why}")
    return 0 if well else 6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
