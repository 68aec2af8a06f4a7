"""A real PostgreSQL on loopback, in a folder of its own, for the time of a test."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import adbc_driver_manager
import adbc_driver_postgresql

BINARIES = next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)
USER = "kindex"
PASSWORD = "c4n@ry/secret:%"


class Server:
    """`do` runs statements; `stop` and `start` are what a night meets at times."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder, self.port = folder, port

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-o", options, "-l", "log", "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")

    def do(self, *statements: str) -> None:
        uri = f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/postgres"
        with (
            adbc_driver_manager.AdbcDatabase(driver=adbc_driver_postgresql._driver_path(), uri=uri) as database,
            adbc_driver_manager.AdbcConnection(database) as connection,
        ):
            for text in statements:
                with adbc_driver_manager.AdbcStatement(connection) as statement:
                    statement.set_sql_query(text)
                    statement.execute_update()

    def _run(self, program: str, *arguments: str) -> None:
        user = [] if os.getuid() else ["runuser", "-u", "postgres", "--"]  # it will not run as root
        command = [*user, str(BINARIES / program), *arguments]
        subprocess.run(command, cwd=self.folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120)


@contextmanager
def server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="kindex-postgres-", dir="/tmp"))  # root's own folders are closed to its user
    try:
        (folder / "password").write_text(PASSWORD)
        if not os.getuid():
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        running = Server(folder, port)
        running._run("initdb", "-D", "data", "-U", USER, "-A", "scram-sha-256", "--pwfile=password", "-E", "UTF8", "--no-sync")
        running.start()
        try:
            yield running
        finally:
            if (folder / "data" / "postmaster.pid").exists():
                running.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
