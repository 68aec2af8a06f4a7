"""A whole tiny project on disk: two catalogues, two models, a night of seconds. For the tests of flows and commands."""

import os
import shutil
import signal
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kindex.core.layout import Layout

ROOT = Path(__file__).parent.parent
LINKED, PICTURED = "shop-pairs", "stamps-autoencoder"

PARAMS = """\
catalogues:
  shop:
    source: {kind: files, links: links.csv, left: basket, right: fruit, left_kind: basket, right_kind: fruit}
    checks: {max_quarantine_share: 0.05}
    split: {heldout_share: 0.2}
  stamps:
    source: {kind: files, images: stamps.parquet, label: label}
    checks: {image_shape: [8, 8]}
    split: {heldout_share: 0.3}
models:
  shop-pairs: {catalogue: shop, family: pairs, dimensions: 4, epochs: 3, seed: 7, threads: 1}
  stamps-autoencoder: {catalogue: stamps, family: autoencoder, dimensions: 3, epochs: 2, channels: 2, seed: 7, threads: 1}
indexes:
  shop-pairs: {kind: auto, sample: 20}
  stamps-autoencoder: {kind: auto, sample: 20}
evaluate: {bootstrap: 10, sample_queries: 40, map_items: 60}
gates:
  shop-pairs: [{metric: index_recall_at_10, at_least: 0.95}]
  stamps-autoencoder: [{metric: index_recall_at_10, at_least: 0.95}]
"""


def make(root: Path, code: Path = ROOT) -> Layout:
    """The project's files below `root`, with a copy of the code below `code` that dvc.yaml names, and DVC without git."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "params.yaml").write_text(PARAMS)
    shutil.copy(code / "dvc.yaml", root)
    shutil.copytree(code / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(code / "infra", root / "infra")
    write_links(root / "links.csv")
    write_stamps(root / "stamps.parquet")
    run(root, sys.executable, "-m", "dvc", "init", "--no-scm", "-q", check=True)
    shutil.copy(ROOT / ".dvcignore", root)
    return Layout(root)


def copy(layout: Layout, root: Path) -> Layout:
    """The same project in another folder, with what its nights left behind; no server of it runs."""
    shutil.copytree(layout.root, root, symlinks=True)
    return Layout(root)


def write_links(path: Path, baskets: int = 40, fruits: int = 30, seed: int = 0) -> None:
    """Baskets hold fruits of their own half only."""
    random = np.random.default_rng(seed)
    lines = ["basket,fruit"]
    for basket in range(baskets):
        half = np.arange(fruits).reshape(2, -1)[basket % 2]
        lines += [f"basket-{basket},fruit-{fruit}" for fruit in sorted(random.choice(half, 8, replace=False))]
    path.write_text("\n".join(lines) + "\n")


def write_stamps(path: Path, count: int = 60, seed: int = 0) -> None:
    """Images of 8 x 8 grey pixels, bright above ("day") or below ("night")."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        pixels_HW = random.integers(0, 80, (8, 8), dtype=np.uint8)
        pixels_HW[slice(0, 4) if number % 2 else slice(4, 8)] += 150
        rows.append({"id": f"stamp-{number:02d}", "image": png(pixels_HW), "label": "day" if number % 2 else "night"})
    pq.write_table(pa.Table.from_pylist(rows), path)


def png(pixels_HW: np.ndarray) -> bytes:
    """A grey image as PNG (PNG specification, section 5)."""
    height, width = pixels_HW.shape

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    lines = b"".join(b"\0" + row.tobytes() for row in pixels_HW)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def environment(root: Path, **more: str) -> dict[str, str]:
    """The environment of a process that works on the project: nothing of this test run's own settings, nothing outside."""
    outside = ("PREFECT_", "MLFLOW_", "KINDEX_", "PYTHONDONTWRITEBYTECODE")  # the last: a user's Python writes bytecode
    mine = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    fixed = {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "DVC_SITE_CACHE_DIR": str(root / ".site"),
        "PYTHONPATH": f"{root / 'src'}{os.pathsep}{ROOT}",  # the code that its dvc.yaml watches is the code that runs
    }
    return {**mine, **fixed, **more}


def run(root: Path, *command: str, check: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the project; its output as text."""
    return subprocess.run(
        command, cwd=root, env=environment(root, **more), capture_output=True, text=True, check=check, timeout=600
    )


def nightly(root: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`python -m flows.nightly`; without Prefect unless `more` names a server, for its own would take 15 seconds to start."""
    more = {"PREFECT_API_URL": "http://127.0.0.1:9/api", **more}
    return run(root, sys.executable, "-m", "flows.nightly", *options, **more)


def start(root: Path, *command: str, **more: str) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, its output in one pipe."""
    return subprocess.Popen(
        command,
        cwd=root,
        env=environment(root, **more),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[str]) -> None:
    """kill -9 of the process and all that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
