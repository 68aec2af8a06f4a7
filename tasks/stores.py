"""`python -m tasks.stores`: make this project's databases of Prefect and MLflow, once, under a lock. `make setup` runs it.

A night would make them, too; two processes that meet at a fresh database do not both survive it.
"""

import asyncio
import importlib.metadata
import os
import sys
from pathlib import Path

from kindex.core import mutex
from kindex.core.errors import KindexError
from kindex.core.files import write_atomic
from kindex.core.layout import Layout, find
from tasks import environment


def prepare(layout: Layout) -> None:
    """Both stores. One that is a server's or a team's database is left to its owner. Raises `OutsideError`."""
    from tasks import tracking

    environment.settle(layout)
    prepare_prefect(layout)
    tracking.prepare(layout)


def prepare_prefect(layout: Layout) -> None:
    """The SQLite file below PREFECT_HOME, created or migrated for the installed Prefect; nothing when it is."""
    if os.environ.get("PREFECT_API_URL") or os.environ.get("PREFECT_SERVER_DATABASE_CONNECTION_URL"):
        return
    home = Path(os.environ["PREFECT_HOME"])
    marker, wanted = home / "prepared", importlib.metadata.version("prefect")
    with mutex.hold(layout.mutex("prefect-store"), "the Prefect store", wait_seconds=120):
        if marker.exists() and marker.read_text() == wanted and (home / "prefect.db").exists():
            return
        home.mkdir(parents=True, exist_ok=True)
        from prefect.server.database import provide_database_interface

        asyncio.run(provide_database_interface().create_db())
        write_atomic(marker, wanted.encode())


def main() -> int:
    """The command line. Returns the exit code."""
    try:
        prepare(find())
    except KindexError as error:
        print(f"stores: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
