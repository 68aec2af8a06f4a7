"""`python -m tasks.tracking`: tell MLflow what waits in the outbox, or everything anew. Exit 0, or 6 when it is down."""

import argparse
import sys

from kindex.core.errors import KindexError, OutsideError
from kindex.core.layout import Layout, find
from tasks.tracking import address, prepare, rebuild, redact, replay


def main(arguments: list[str]) -> int:
    """`replay`, `rebuild`, `prepare` or `address` → exit code."""
    parser = argparse.ArgumentParser("python -m tasks.tracking", description=__doc__)
    parser.add_argument("--root", help="the project's folder (default: $KINDEX_ROOT, or the nearest one with a params.yaml)")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("replay", help="deliver what waits in var/outbox, also what MLflow has refused before")
    verbs.add_parser("rebuild", help="tell MLflow every release in releases/; after its store was lost, or was moved")
    verbs.add_parser("prepare", help="create or migrate this project's own store in var/mlflow")
    verbs.add_parser("address", help="print where MLflow is, without a password")
    asked = parser.parse_args(arguments)
    try:
        layout = find(asked.root)
        return {"replay": _replay, "rebuild": _rebuild, "prepare": _prepare, "address": _address}[asked.verb](layout)
    except KindexError as error:
        print(redact(str(error)), file=sys.stderr)
        return error.exit_code


def _replay(layout: Layout) -> int:
    told = replay(layout, insist=True)
    print(f"{told.delivered} delivered, {told.waiting} waiting{f': {told.reason}' if told.reason else ''}")
    return OutsideError.exit_code if told.waiting else 0


def _rebuild(layout: Layout) -> int:
    print(f"{rebuild(layout)} releases are in MLflow at {redact(address(layout))}")
    return 0


def _prepare(layout: Layout) -> int:
    prepare(layout)
    return _address(layout)


def _address(layout: Layout) -> int:
    print(redact(address(layout)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
