"""A whole night from raw files to a promoted release, beside a standing Prefect server; and its stages without orchestration.

    python -m benchmarks.night --items 37000 --link-items 38000 --links 770000

The links are planted: items have groups, four fifths of an item's links stay inside its own, and how often each occurs
follows a power law. The night runs in a scratch project, with the default settings of `pairs`. Then the same stages run one
by one as plain processes in a second scratch project. What is left of the difference after the orchestrators' imports is what
DVC, Prefect and MLflow add. With `--change 0.01` two more nights follow: one for which so many links have changed, half of
them removed and half new, and one with nothing new.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.scale import KEY, MODEL, STAGES, names, run, settings

CODE = Path(__file__).parent.parent
IMPORTS = (
    "import prefect.flows, prefect.client.orchestration",
    "import dvc.repo, dvc.repo.reproduce",
    "import mlflow.tracking",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=37_000)
    parser.add_argument("--link-items", type=int, default=38_000)
    parser.add_argument("--links", type=int, default=770_000)
    parser.add_argument("--set", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of the family pairs")
    parser.add_argument("--change", type=float, default=0.0, help="share of the links that the second night finds changed")
    arguments = parser.parse_args()
    arguments.weights = arguments.dates = False
    with tempfile.TemporaryDirectory(prefix="kindex-night-") as scratch:
        projects = [project(Path(scratch) / name, arguments) for name in ("night", "stages")]
        imports = sum(run("import", [sys.executable, "-c", line], {}, projects[0]).wall for line in IMPORTS)
        changes = [None, *([lambda: change(projects[0], arguments.change), lambda: None] if arguments.change else [])]
        night, *later = nights(projects[0], changes)
        print(f"{'night, with everything':28}{night:8.1f} s")
        for name, seconds in zip(("links changed", "nothing new"), later):
            print(f"{f'night, {name}':28}{seconds:8.1f} s {seconds / night:8.1%} of the first")
        plain = stages(projects[1])
        print(f"{'the stages by themselves':28}{plain:8.1f} s")
        print(f"{'imports of orchestrators':28}{imports:8.1f} s")
        print(f"{'added beyond imports':28}{night - plain - imports:8.1f} s")


def project(root: Path, arguments: argparse.Namespace) -> Path:
    """A scratch project with the links, the settings and a copy of the code that dvc.yaml names."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import yaml

    root.mkdir()
    for folder in ("src", "infra"):
        shutil.copytree(CODE / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dvc.yaml", ".dvcignore"):
        shutil.copy(CODE / name, root)
    subprocess.run([sys.executable, "-m", "dvc", "init", "--no-scm", "-q"], cwd=root, check=True)
    columns = dict(zip(("user", "book"), planted(arguments.items, arguments.link_items, arguments.links), strict=True))
    texts = {"user": names("u", arguments.items), "book": names("b", arguments.link_items)}
    links = pa.table({name: texts[name].take(pa.array(number_N)) for name, number_N in columns.items()})
    pq.write_table(links, root / "links.parquet")
    (root / "params.yaml").write_text(yaml.safe_dump(settings("links.parquet", arguments), sort_keys=False))
    return root


def planted(items: int, link_items: int, links: int, groups: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Distinct pairs, each number of both sides at least once."""
    rng = np.random.default_rng(1)
    pairs = np.empty(0, np.int64)
    left_N = np.concatenate([np.arange(items), np.arange(link_items) % items])
    right_N = np.concatenate([np.arange(items) % link_items, np.arange(link_items)])
    pairs = np.unique(left_N * link_items + right_N)
    while len(pairs) < links:
        count = links - len(pairs)
        left_N = (items * rng.random(count) ** 2).astype(np.int64)
        group_N = np.where(rng.random(count) < 0.8, left_N % groups, rng.integers(0, groups, count))
        right_N = ((link_items // groups) * rng.random(count) ** 2).astype(np.int64) * groups + group_N
        pairs = np.union1d(pairs, left_N * link_items + right_N)
    rng.shuffle(pairs)
    return pairs // link_items, pairs % link_items


def change(root: Path, share: float) -> None:
    """Change a share of the links: half of it are removed, and as many come between items that are there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    links = pq.read_table(root / "links.parquet")
    rng = np.random.default_rng(2)
    count = int(share * links.num_rows / 2)
    kept = links.take(pa.array(np.sort(rng.permutation(links.num_rows)[count:])))
    ends = {name: links[name].take(pa.array(rng.integers(0, links.num_rows, count))) for name in ("user", "book")}
    pq.write_table(pa.concat_tables([kept, pa.table(ends)]), root / "links.parquet")


def nights(root: Path, changes: Sequence[Callable[[], None] | None]) -> list[float]:
    """Wall seconds of each night, beside Prefect's and MLflow's servers that have come up before."""
    environment = {**os.environ, "KINDEX_ROOT": str(root), "PYTHONPATH": f"{root / 'src'}:{CODE}"}
    command = [sys.executable, "-m", "tasks.ui"]
    pages = subprocess.Popen(command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        _wait_for_pages(root, pages)
        found = []
        for made in changes:
            if made:
                made()
            began = time.perf_counter()
            said = subprocess.run(
                [sys.executable, "-m", "flows.nightly"], cwd=root, env=environment, capture_output=True, text=True
            )
            found.append(time.perf_counter() - began)
            print(said.stdout, said.stderr if said.returncode else "", flush=True)
            if said.returncode or "without Prefect" in said.stdout:
                sys.exit(f"the night ended with {said.returncode}")
        return found
    finally:
        pages.terminate()
        pages.wait(timeout=60)


def _wait_for_pages(root: Path, pages: "subprocess.Popen[str]", patience: float = 180.0) -> None:
    from kindex.core.layout import Layout
    from tasks import environment

    deadline = time.monotonic() + patience
    while not environment.read_pages(Layout(root)):
        if pages.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the pages did not come: {pages.stdout.read() if pages.poll() is not None and pages.stdout else ''}")
        time.sleep(0.5)


def stages(root: Path) -> float:
    """Wall seconds of the same stages as plain processes, one after the other."""
    environment = {"KINDEX_ROOT": str(root), "PYTHONPATH": f"{root / 'src'}:{CODE}"}
    move = (
        "from pathlib import Path\nfrom kindex.core.layout import Layout\nfrom kindex.core.params import load\n"
        "from kindex.sources.locking import move\n"
        f"layout = Layout(Path({str(root)!r})); move(layout, load(layout.params), {KEY!r})"
    )
    total = run("lock", [sys.executable, "-c", move], environment, root / "locks").wall
    for stage in STAGES:
        key = KEY if stage in STAGES[:3] else MODEL
        cost = run(stage, [sys.executable, "-m", "kindex.stages", stage, key], environment, root / "data" / stage / key)
        print(f"  {stage:26}{cost.wall:8.1f} s {cost.cpu:8.1f} CPU s {cost.peak_mb:8,.0f} MB", flush=True)
        total += cost.wall
    return total


if __name__ == "__main__":
    main()
