"""`kindex quarantine`, `lock`, `settings` and `check`: data, and the project's settings."""

import csv
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from kindex.cli.text import printable, table
from kindex.core.errors import ConfigError, choices
from kindex.core.layout import find

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet takes a cell that begins so for a formula; written with a quote in front, it stays text."""


def quarantine(
    catalogue: Annotated[str, typer.Argument(help="A catalogue of params.yaml, e.g. modules")],
    rule: Annotated[str | None, typer.Option(help="Only rows that broke this rule")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows to show; --csv writes all")] = 20,
    as_csv: Annotated[bool, typer.Option("--csv", help="All rows as CSV, for a spreadsheet")] = False,
) -> None:
    """The rows that were refused: which rule, which value, where they come from."""
    from kindex.core.catalogue import read_table
    from kindex.core.params import load
    from kindex.core.quarantine import refused_path

    layout = find()
    load(layout.params).catalogue(catalogue)
    stopped = refused_path(layout, catalogue)  # of a night that validation stopped: newer than the last that passed
    path = stopped if stopped.is_file() else layout.out("validate", catalogue) / "quarantine.parquet"
    if not path.is_file():
        raise ConfigError(f"{catalogue} was not validated yet: `dvc repro validate@{catalogue}`")
    rows = read_table(path).to_pylist()
    counts = Counter(row["rule"] for row in rows)
    if rule is not None:
        if rule not in counts:
            raise ConfigError(f"no row of {catalogue} broke {rule!r}: {choices(rule, counts)}")
        rows = [row for row in rows if row["rule"] == rule]
    columns = ["table", "row", "rule", "value", "origin", "record"]
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(row[column]) for column in columns] for row in rows)
        return
    if not rows:
        print(f"no row of {catalogue} was refused")
        return
    table(columns[:-1], ([str(row[column]) for column in columns[:-1]] for row in rows[:limit]))
    broken = ", ".join(f"{printable(name)} {count}" for name, count in counts.most_common())
    print(f"\n{min(limit, len(rows))} of {len(rows)} rows shown. By rule: {broken}")


def lock(
    catalogue: Annotated[str | None, typer.Argument(help="A catalogue of params.yaml")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every catalogue")] = False,
    accept: Annotated[bool, typer.Option(help="Accept data of another size or with other columns")] = False,
    purge: Annotated[
        bool, typer.Option(help="Remove what a source keeps of rows that went; former locks cannot be read")
    ] = False,
) -> None:
    """Lock a catalogue's source as it is now; the next night reads exactly that. Commit the file that it names."""
    from kindex.core.params import load
    from kindex.core.parent import write_parent
    from kindex.sources import locking

    layout = find()
    params = load(layout.params)
    if (catalogue is None) != every:
        raise ConfigError(f"name one catalogue, or give --all. Catalogues: {', '.join(params.catalogues)}")
    for key in params.catalogues if every else [str(catalogue)]:
        params.catalogue(key)
        now, moved = locking.move(layout, params, key, accept=accept)
        change = "moved to" if moved else "unchanged at"
        taken = ", takes any volume and columns once" if accept else ""
        brought = locking.brought(now.moved)
        what = f" ({printable(brought)})" if moved and brought else ""
        print(f"{layout.lock(key).relative_to(layout.root)}: {change} {now.digest[:12]}{what}{taken}")
        if purge and locking.purge(layout, params, key):
            print(f"var/snapshots/{key}: holds nothing of rows that went")
        for model, block in params.models.items():
            parent = layout.parent(model)
            if block.catalogue == key and not parent.exists():  # `dvc repro` wants the file, and nights make it by themselves
                write_parent(parent, None)
                print(f"{parent.relative_to(layout.root)}: {model} starts from no release")


def settings() -> None:
    """The catalogues and models of params.yaml, and every setting with its default and meaning."""
    from kindex.core.params import load
    from kindex.core.settings import package_folder
    from kindex.core.settings import settings as read
    from kindex.encoders import families
    from kindex.sources import kinds

    params = load(find().params)
    print("Catalogues: " + ", ".join(f"{key} ({block.source.get('kind')})" for key, block in params.catalogues.items()))
    print("Models: " + ", ".join(f"{key} ({block.family} of {block.catalogue})" for key, block in params.models.items()))
    own = package_folder("core", "params.py")
    sections: list[tuple[str, Path, str]] = [
        *((f"catalogues.NAME.source, kind {kind}", package_folder("sources", f"{kind}.py"), "Config") for kind in kinds()),
        ("catalogues.NAME.source.links and .items, kind sql", package_folder("sources", "sql.py"), "Rows"),
        ("catalogues.NAME.checks", own, "CheckParams"),
        ("catalogues.NAME.split", own, "SplitParams"),
        *((f"models.NAME, family {name}", _family_file(name), "Config") for name in families()),
        ("indexes.NAME", own, "IndexParams"),
        ("evaluate", own, "EvaluateParams"),
        ("gates.NAME, each line", own, "Threshold"),
    ]
    for title, source, cls in sections:
        if found := read(source, cls):
            print(f"\n{title}")
            table(
                ["  setting", "default", "type", "meaning"],
                [[f"  {one.name}", one.default or "(must be given)", one.type, one.meaning] for one in found],
            )


def check() -> None:
    """Check params.yaml and dvc.yaml: every name, every setting, every path that a stage is said to read or write."""
    from kindex.cli.graph import check_graph
    from kindex.core.params import load
    from kindex.preflight import check_blocks

    layout = find()
    params = load(layout.params)
    check_blocks(params)
    stages = check_graph(layout, params)
    print(
        f"params.yaml: {len(params.catalogues)} catalogues, {len(params.models)} models. dvc.yaml: {stages} stages. All well"
    )


def _family_file(name: str) -> Path:
    """Where a family's settings stand: a file of their own, or the family's first."""
    from kindex.core.settings import package_folder

    own = package_folder("encoders", name, "config.py")
    return own if own.is_file() else own.with_name("__init__.py")


def _cell(value: object) -> str:
    text = printable(str(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(FORMULA) else text
