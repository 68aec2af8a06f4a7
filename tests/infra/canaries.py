"""Passwords that sing: one word in every variable that holds a secret, and a search for it in all files."""

import base64
import gzip
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq

CANARY = "kanarienvogel"
NOWHERE = "127.0.0.1:9/"
SETTINGS = {
    "PREFECT_API_URL": f"http://team:{CANARY}1@{NOWHERE}api",
    "PREFECT_SERVER_API_AUTH_STRING": f"team:{CANARY}2",
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://prefect:{CANARY}3@{NOWHERE}prefect",
    "MLFLOW_TRACKING_PASSWORD": f"{CANARY}4",
    "MLFLOW_BACKEND_STORE_URI": f"postgresql://mlflow:{CANARY}5@{NOWHERE}mlflow",
    "AWS_ACCESS_KEY_ID": f"{CANARY}6",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}7",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "KINDEX_ALERT_URLS": f"json://team:{CANARY}8@{NOWHERE}?+token={CANARY}9",
    "SHOP_PASSWORD": f"{CANARY}10",
    "SHOP_URI": f"postgresql://kindex:{CANARY}12@{NOWHERE}shop?sslpassword={CANARY}13",
}
DOWN = {**SETTINGS, "MLFLOW_TRACKING_URI": f"http://team:{CANARY}11@127.0.0.1:9"}


def _spelt() -> tuple[bytes, ...]:
    """The word as it is, in hex, and what base64 makes of it wherever it begins in a header, without the ends that vary."""
    shifted = [base64.b64encode(b"x" * shift + CANARY.encode())[4:-4] for shift in range(3)]
    return CANARY.encode(), CANARY.encode().hex().encode(), *shifted


SPELT = _spelt()


def sings(content: bytes) -> bool:
    """Whether the canary is heard in `content`, in any spelling."""
    return any(word in content for word in SPELT)


def heard(root: Path) -> dict[str, bool]:
    """Every file below `root`, and what is inside those that hide their content → whether the canary is in it.

    Parquet is decoded, gzip unpacked, SQLite dumped, and each object of a git repository read.
    """
    found: dict[str, bool] = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        name = path.relative_to(root).as_posix()
        found[name] = sings(content) or any(sings(part) for part in _inside(path, content))
    for git in sorted(root.rglob(".git")):
        everything = ["git", "cat-file", "--batch", "--batch-all-objects"]
        done = subprocess.run(everything, cwd=git.parent, capture_output=True, check=True)
        found[f"{git.relative_to(root).as_posix()} (objects)"] = sings(done.stdout)
    return found


def _inside(path: Path, content: bytes) -> Iterator[bytes]:
    if content[:4] == b"PAR1":
        yield json.dumps(pq.read_table(path).to_pylist(), default=repr, ensure_ascii=False).encode("utf-8", "replace")
    elif content[:2] == b"\x1f\x8b":
        yield gzip.decompress(content)
    elif content[:15] == b"SQLite format 3":
        store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            yield "\n".join(store.iterdump()).encode()
        finally:
            store.close()
