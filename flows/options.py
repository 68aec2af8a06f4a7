"""What the command lines of the flows take."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

EXIT_CODES = """\
exit codes:
  0  done, or nothing to do           4  a gate held a candidate back, or training diverged
  1  a stage broke: see its traceback 5  another night or flow holds the project
  2  params.yaml or an option is wrong
  3  the data cannot be used          6  an outside system is down
"""


@dataclass(frozen=True)
class Options:
    """One run of a flow. `models` are their names in params.yaml; empty means all. `night` is the logical date."""

    night: str
    root: str | None = None
    models: tuple[str, ...] = ()
    force: bool = False


def tonight() -> str:
    """Today's date in UTC: nights are keyed by it, so that no change of the clocks makes or loses one."""
    return datetime.now(UTC).date().isoformat()


def parse(program: str, about: str, arguments: Sequence[str] | None) -> Options:
    """The options, or an exit with 2 and a message (0 after --help)."""
    parser = argparse.ArgumentParser(
        prog=f"python -m flows.{program}",
        description=about,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if program == "retrain":
        parser.add_argument("models", nargs="+", metavar="MODEL", help="models of params.yaml to train again")
    else:
        parser.add_argument("--only", nargs="+", default=[], metavar="MODEL", help="these models and their catalogues")
        parser.add_argument("--force", action="store_true", help="run every stage, stale or not")
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    parser.add_argument("--date", type=_day, metavar="YYYY-MM-DD", help="the night's logical date, UTC (default: today)")
    given = parser.parse_args(arguments)
    models, force = (given.models, True) if program == "retrain" else (given.only, given.force)
    return Options(given.date or tonight(), given.root, tuple(models), force)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write YYYY-MM-DD") from None
