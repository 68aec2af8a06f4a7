"""Where MLflow keeps what it is told, and a client that neither waits for ever nor prints.

MLflow is imported inside functions only: import and first connection cost one to four CPU seconds.
"""

import contextlib
import logging
import os
import re
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from kindex.core import mutex
from kindex.core.errors import OutsideError
from kindex.core.files import fault_point, write_atomic
from kindex.core.layout import Layout

QUIET_AND_BOUNDED = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",  # seconds
    # a request that is sent again may act twice: the next replay looks before it sends
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_RECORD_ENV_VARS_IN_MODEL_LOGGING": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""Set before MLflow is imported, each unless the environment says otherwise."""

ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables of MLflow's database and their columns that name a place of artifacts."""

UNANSWERED = re.compile(r"API request to (https?://[^/\s]+)\S* failed with exception .*")
"""What MLflow says, at length, of a server that it does not reach."""


@dataclass(frozen=True)
class Store:
    """An open store. `client` is an `MlflowClient`, perhaps `Hurried`; `artifacts` is None where a server decides."""

    client: Any
    artifacts: Path | None


class Hurried:
    """Calls of `client` until `deadline` (of `time.monotonic`), then `OutsideError`; after each call is a fault point."""

    def __init__(self, client: Any, deadline: float) -> None:
        self._client = client
        self._deadline = deadline

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            if time.monotonic() > self._deadline:
                raise OutsideError("MLflow is too slow: the time that a night gives it is used up")
            answer = getattr(self._client, name)(*arguments, **named)
            fault_point(f"mlflow {name}")
            return answer

        return call


def address(layout: Layout) -> str:
    """`$MLFLOW_TRACKING_URI` (a team's server; may hold a password: see `redact`), or this project's SQLite file."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{_database(layout)}"


def connect(layout: Layout, seconds: float | None = None) -> Store:
    """A store; with `seconds`, its calls may take so long in all. Raises what MLflow raises when it is down."""
    prepare(layout)
    _settle()
    from mlflow import MlflowClient

    uri = address(layout)
    client: Any = MlflowClient(tracking_uri=uri, registry_uri=uri)
    if seconds is not None:
        client = Hurried(client, time.monotonic() + seconds)
    return Store(client, _artifacts(layout) if _is_own(layout) else None)


def prepare(layout: Layout) -> None:
    """Create or migrate this project's SQLite store, once, under a lock; seconds the first time, then nothing.

    In a project that was moved or copied it comes to name the artifacts that lie here.

    Two processes that open a fresh database both migrate it, and one dies. It is therefore made beside its place and
    renamed. A server named by `MLFLOW_TRACKING_URI` is its owner's to prepare. Raises `OutsideError`.
    """
    if not _is_own(layout) or _is_ready(layout):
        return
    database = _database(layout)
    with mutex.hold(layout.mutex("mlflow-store"), "the MLflow store", wait_seconds=120):
        if _is_ready(layout):
            return
        database.parent.mkdir(parents=True, exist_ok=True)
        if database.exists():
            _migrate(database)
            _relocate(database, _artifacts(layout))
        else:
            _create(database, _artifacts(layout))
        write_atomic(_marker(layout), _settled(layout).encode())


def redact(text: str) -> str:
    """`text` without the passwords of addresses and without the value of MLflow's own secrets."""
    for name in ("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        if secret := os.environ.get(name):
            text = text.replace(secret, "***")
    return re.sub(r"(?<=://)[^/\s'\"]*@", "***@", text)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Drop the warnings of MLflow and what it imports: they are about its own code, and a night's output is for people."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def reason(error: BaseException) -> str:
    """The first line of an error, without secrets, short enough for a summary."""
    lines = str(error).splitlines()
    plain = UNANSWERED.sub(r"\1 does not answer", lines[0] if lines else type(error).__name__)
    return redact(plain)[:300]


def _settle() -> None:
    for name, value in QUIET_AND_BOUNDED.items():
        os.environ.setdefault(name, value)
    import mlflow  # noqa: F401  (its import sets up the logging that is turned down below)

    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # of its database it logs the traceback of what it raises anyway; the summary has the line
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)


def _create(database: Path, artifacts: Path) -> None:
    _settle()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    fresh = database.with_name(f".{database.name}.new")
    for path in fresh.parent.glob(f"{fresh.name}*"):
        path.unlink()
    SqlAlchemyStore(f"sqlite:///{fresh}", artifacts.as_uri()).engine.dispose()
    fault_point("publish mlflow.db")
    fresh.replace(database)
    with sqlite3.connect(database) as connection:  # readers (the pages) and a writer (the night) at the same time
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def _migrate(database: Path) -> None:
    """A store of another MLflow version, or one whose marker was lost: a no-op when the schema is already right."""
    _settle()
    from mlflow.store.db.utils import _upgrade_db, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(f"sqlite:///{database}")
    try:
        _upgrade_db(engine)
    except Exception as error:
        raise OutsideError(f"{database} cannot be migrated to MLflow {version('mlflow')}: {reason(error)}") from error
    finally:
        engine.dispose()


def _relocate(database: Path, artifacts: Path) -> None:
    """MLflow keeps absolute addresses of artifacts: let those of the place where the project was before lead here."""
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        found = connection.execute("SELECT artifact_location FROM experiments WHERE experiment_id = 0").fetchone()
        former, now = found[0].removesuffix("/0") if found else "", artifacts.as_uri()
        for table, column in ADDRESSES if former and former != now else ():
            change = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
            connection.execute(change, (f"{now}/", len(former) + 2, len(former) + 1, f"{former}/"))


def _is_own(layout: Layout) -> bool:
    return address(layout) == f"sqlite:///{_database(layout)}"


def _is_ready(layout: Layout) -> bool:
    marker = _marker(layout)
    return _database(layout).exists() and marker.exists() and marker.read_text() == _settled(layout)


def _settled(layout: Layout) -> str:
    """What the marker says of a store that is ready: for which MLflow, and where."""
    return f"{version('mlflow')}\n{_artifacts(layout)}\n"


def _database(layout: Layout) -> Path:
    return layout.var / "mlflow" / "mlflow.db"


def _artifacts(layout: Layout) -> Path:
    return layout.var / "mlflow" / "artifacts"


def _marker(layout: Layout) -> Path:
    return layout.var / "mlflow" / "prepared"
