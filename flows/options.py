"""What the command lines of the flows take."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

EXIT_CODES = """\
exit codes:
  0  done, or nothing to do           4  a gate held a candidate back, or training diverged
  1  a stage broke: see its traceback 5  another night or flow holds the project
  2  params.yaml or an option is wrong
  3  the data cannot be used          6  an outside system is down
  130, 143  stopped by Ctrl-C or SIGTERM: run it again to go on
"""


MISSED = ("latest", "each")
"""What becomes of nights that nobody ran: only the latest is run, or each of them, oldest first."""


@dataclass(frozen=True)
class Options:
    """One run of a flow. `models` are their names in params.yaml; empty means all.

    `night` is the logical date; empty until the calendar has said which. `again`: run a night that is done, past or paused.
    `scheduled`: no person asked for it, so a night that is done is left alone. `dated`: a person gave the date.
    """

    night: str = ""
    root: str | None = None
    models: tuple[str, ...] = ()
    force: bool = False
    full: bool = False
    again: bool = False
    missed: str = "latest"
    scheduled: bool = False
    dated: bool = False


def parse(program: str, about: str, arguments: Sequence[str] | None) -> Options:
    """The options of `nightly` or `retrain`, or an exit with 2 and a message (0 after --help)."""
    parser = parser_of(program, about)
    if program == "retrain":
        parser.add_argument("models", nargs="+", metavar="MODEL", help="models of params.yaml to train again")
    else:
        add_only(parser)
        parser.add_argument("--force", action="store_true", help="run every stage, stale or not; also a past or paused night")
        rule = "nights that nobody ran: leave them (latest, the default), or run each of them first"
        parser.add_argument("--missed", choices=MISSED, default="latest", help=rule)
    parser.add_argument("--full", action="store_true", help="train anew, whatever the policy says; see docs/refresh.md")
    parser.add_argument("--date", type=day, metavar="YYYY-MM-DD", help="the logical date (default: the night last called)")
    given = parser.parse_args(arguments)
    if program == "retrain":
        return Options(given.date or "", given.root, tuple(given.models), True, given.full, dated=bool(given.date))
    force, models = given.force, tuple(given.only)
    return Options(given.date or "", given.root, models, force, given.full, force, given.missed, dated=bool(given.date))


def parser_of(program: str, about: str) -> argparse.ArgumentParser:
    """A command line with the project and the exit codes, which all flows have."""
    parser = argparse.ArgumentParser(
        prog=f"python -m flows.{program}",
        description=about,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--root", metavar="FOLDER", help="the project (default: $KINDEX_ROOT, or the nearest params.yaml)")
    return parser


def add_only(parser: argparse.ArgumentParser) -> None:
    """The option `--only`."""
    parser.add_argument("--only", nargs="+", default=[], metavar="MODEL", help="these models and their catalogues")


def day(text: str) -> str:
    """A date of the command line, as ISO writes it."""
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date: write YYYY-MM-DD") from None
