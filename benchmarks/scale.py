"""How a catalogue of links scales: seconds, memory and disk of each stage, on generated links.

    python -m benchmarks.scale --links 1e5,1e6 --stages ingest,validate,split,train,index,evaluate
    python -m benchmarks.scale --links 1e8 --stages ingest,validate,split --weights --folder /big/disk

The links are planted: items have groups, most links stay inside one, and how often an item occurs follows a power law. Each
stage runs in a process of its own, in a scratch project that is removed afterwards. CPU seconds are user and system time,
the peak is the process's resident memory with all that Python brings, `MB out` is what the stage left on disk.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

CHUNK = 1 << 20
KEY, MODEL = "scale", "scale-pairs"
STAGES = ("ingest", "validate", "split", "train", "index", "evaluate")
CATALOGUE_STAGES = STAGES[:3]


@dataclass(frozen=True)
class Cost:
    """Of one stage: wall and CPU seconds, peak resident memory, and bytes it left."""

    stage: str
    wall: float
    cpu: float
    peak_mb: float
    out_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", default="1e5,1e6", help="numbers of links, with commas between")
    parser.add_argument("--stages", default=",".join(CATALOGUE_STAGES), help=f"of {', '.join(STAGES)}")
    parser.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    parser.add_argument("--weights", action="store_true", help="links have weights")
    parser.add_argument("--dates", action="store_true", help="links have dates, and the split goes by them")
    parser.add_argument("--bad", type=float, default=0.0, help="share of rows with an end missing")
    parser.add_argument("--set", nargs="*", default=[], metavar="SETTING=VALUE", help="settings of the family pairs")
    parser.add_argument("--folder", help="where the scratch projects are made; the system's temporary folder unless said")
    parser.add_argument("--generate", metavar="FILE", help=argparse.SUPPRESS)  # the generator, in a process of its own
    arguments = parser.parse_args()
    if arguments.generate:
        generate(Path(arguments.generate), int(float(arguments.links)), arguments)
        return
    print(f"{'links':>12}  {'stage':10}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'MB out':>9}{'links/s/core':>14}", flush=True)
    for links in (int(float(number)) for number in arguments.links.split(",")):
        with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="kindex-scale-") as folder:
            for cost in measured(Path(folder), links, arguments):
                rate = f"{links / cost.cpu:,.0f}" if cost.stage != "(source)" else ""
                row = f"{cost.wall:9.1f}{cost.cpu:9.1f}{cost.peak_mb:9,.0f}{cost.out_mb:9,.1f}{rate:>14}"
                print(f"{links:12,}  {cost.stage:10}{row}", flush=True)


def measured(root: Path, links: int, arguments: argparse.Namespace) -> Iterator[Cost]:
    """Generate `links` links below `root` and run the stages on them."""
    source = root / f"links.{arguments.format}"
    given = [part for name in ("weights", "dates") if getattr(arguments, name) for part in (f"--{name}",)]
    given += ["--links", str(links), "--bad", str(arguments.bad), "--generate", str(source)]
    yield run("(source)", [sys.executable, "-m", "benchmarks.scale", *given], {}, source)
    (root / "params.yaml").write_text(yaml.safe_dump(settings(source.name, arguments), sort_keys=False))
    environment = {"KINDEX_ROOT": str(root), "GX_ANALYTICS_ENABLED": "false"}
    move = (
        "from pathlib import Path\nfrom kindex.core.layout import Layout\nfrom kindex.core.params import load\n"
        "from kindex.sources.locking import move\n"
        f"layout = Layout(Path({str(root)!r})); move(layout, load(layout.params), {KEY!r})"
    )
    yield run("lock", [sys.executable, "-c", move], environment, root / "locks")
    for stage in arguments.stages.split(","):
        key = KEY if stage in CATALOGUE_STAGES else MODEL
        command = [sys.executable, "-m", "kindex.stages", stage, key]
        yield run(stage, command, environment, root / "data" / stage / key)


def run(stage: str, command: list[str], environment: dict[str, str], out: Path) -> Cost:
    """Run one command to its end. Stops the benchmark when it fails, with what it said."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=said, stderr=said)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            sys.exit(f"{stage} ended with {process.returncode}:\n{said.read().decode(errors='replace')}")
    wall, cpu = time.perf_counter() - began, used.ru_utime + used.ru_stime
    return Cost(stage, wall, cpu, used.ru_maxrss / 1024, size_of(out) / 1e6)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def settings(source: str, arguments: argparse.Namespace) -> dict[str, object]:
    """The project's params.yaml: one catalogue of users and books, one model."""
    columns = {"left": "user", "right": "book", "left_kind": "user", "right_kind": "book"}
    columns |= {"weight": "stars"} if arguments.weights else {}
    columns |= {"date": "when"} if arguments.dates else {}
    model = {"catalogue": KEY, "family": "pairs", **{k: yaml.safe_load(v) for k, v in (s.split("=") for s in arguments.set)}}
    return {
        "catalogues": {
            KEY: {
                "source": {"kind": "files", "links": source, **columns},
                "checks": {},
                "split": {"by": "time"} if arguments.dates else {},
            }
        },
        "models": {MODEL: model},
        "indexes": {MODEL: {}},
        "gates": {MODEL: []},
        "evaluate": {},
    }


def generate(path: Path, links: int, arguments: argparse.Namespace) -> None:
    """Write `links` rows a chunk at a time: 50 for each user and 100 for each book on average, in up to 100 groups."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    users, books = max(links // 50, 200), max(links // 100, 200)
    groups = min(max(books // 500, 2), 100)
    texts = {"user": names("u", users), "book": names("b", books)}
    kinds = {"user": pa.dictionary(pa.int32(), pa.string()), "book": pa.dictionary(pa.int32(), pa.string())}
    kinds |= {"stars": pa.float32()} if arguments.weights else {}
    kinds |= {"when": pa.int64()} if arguments.dates else {}
    plain = pa.schema([(name, pa.string() if pa.types.is_dictionary(kind) else kind) for name, kind in kinds.items()])
    writer = (
        pq.ParquetWriter(path, pa.schema(kinds.items()), store_schema=False, dictionary_pagesize_limit=1 << 30)
        if path.suffix == ".parquet"
        else pyarrow.csv.CSVWriter(path, plain, write_options=pyarrow.csv.WriteOptions(quoting_style="none"))
    )
    rng = np.random.default_rng(1)
    with writer:
        for start in range(0, links, CHUNK):
            count = min(CHUNK, links - start)
            user_N = (users * rng.random(count) ** 2).astype(np.int32)
            group_N = np.where(rng.random(count) < 0.8, user_N % groups, rng.integers(0, groups, count))
            book_N = ((books // groups) * rng.random(count) ** 2).astype(np.int32) * groups + group_N.astype(np.int32)
            missing_N = rng.random(count) < arguments.bad if arguments.bad else None
            columns = {
                "user": pa.DictionaryArray.from_arrays(pa.array(user_N, mask=missing_N), texts["user"]),
                "book": pa.DictionaryArray.from_arrays(pa.array(book_N), texts["book"]),
                "stars": pa.array(rng.integers(1, 6, count).astype(np.float32)),
                "when": pa.array(1_600_000_000 + rng.integers(0, 100_000_000, count)),
            }
            table = pa.table({name: compacted(columns[name]) for name in kinds})
            writer.write_table(table if path.suffix == ".parquet" else table.cast(plain))


def compacted(column):  # type: ignore[no-untyped-def]
    """A dictionary without the texts that do not occur."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_dictionary(column.type):
        return column
    used = pc.dictionary_encode(column.indices)
    return pa.DictionaryArray.from_arrays(used.indices, column.dictionary.take(used.dictionary))


def names(letter: str, count: int):  # type: ignore[no-untyped-def]
    """`count` ids: the letter and the digits of a number, scattered, so that their order is not that of the numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = (np.arange(count, dtype=np.int64) * 2_654_435_761) % (1 << 32)
    return pc.binary_join_element_wise(letter, pa.array(numbers).cast(pa.string()), "")


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
