"""`kindex`: for people. Questions to a release, releases, data and settings, and a doctor.

The commands are thin; `kindex.ask` and `kindex.core` do the work. Nothing heavy is imported before a command needs it.
"""

import os
import sys
from typing import Annotated

import typer

from kindex.cli import (
    catalogues,
    comparing,
    doctor,
    exports,
    folding,
    lasting,
    morning,
    pausing,
    pictures,
    questions,
    releases,
)
from kindex.cli.text import printable
from kindex.core.errors import KindexError, OutsideError

_EPILOG = """
Examples:

- `kindex similar modules-pairs torch.optim.adam -k 5`
- `kindex analogy modules-pairs --plus torch.optim.adam --plus json.decoder --minus json.encoder`
- `kindex similar modules-pairs --links "json,urllib.request"`: a module that the release does not have, by what it imports
- `kindex caption scenes-captions holiday.jpg photos/`: what images show, from files of any size
- `kindex describe scenes-captions "two red circles" --by both --show found.html`: images by a description
- `kindex similar scenes-captions --image holiday.jpg`: images like one that the release does not have
- `kindex similar scenes-captions --space words circle`, then `kindex analogy scenes-captions circle circles star`
- `kindex fold-in modules-pairs links.csv --to vectors.parquet`: many of them
- `kindex export modules-pairs --to neighbours.parquet -k 20`
- `kindex releases modules-pairs`, then `kindex rollback modules-pairs`
- `kindex diff modules-pairs v0001 v0002`, then `kindex approve modules-pairs v0002 --because "..."`
- `kindex status`, `kindex plan`, `kindex nights`: this morning, tonight, and all nights on one page
- `kindex quarantine modules --csv > refused.csv`
- `make nightly` runs the night itself; `dvc repro` runs its stages alone

Exit codes: 0 done, 2 bad configuration, 3 data gate or damaged file, 4 metric gate, 5 locked by another run,
6 an outside system is down. Details: `kindex COMMAND --help`.
"""

app = typer.Typer(
    name="kindex",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_ASK, _RELEASES, _DATA, _NIGHTS, _HOUSE = "Ask a release", "Releases", "Data", "Nights", "The project"
app.command(rich_help_panel=_ASK)(questions.similar)
app.command(rich_help_panel=_ASK)(questions.analogy)
app.command(rich_help_panel=_ASK)(pictures.caption)
app.command(rich_help_panel=_ASK)(pictures.describe)
app.command(rich_help_panel=_ASK)(exports.export)
app.command(rich_help_panel=_ASK)(folding.fold_in)
app.command(rich_help_panel=_RELEASES)(releases.releases)
app.command(rich_help_panel=_RELEASES)(releases.verify)
app.command(rich_help_panel=_RELEASES)(releases.rollback)
app.command(rich_help_panel=_RELEASES)(releases.report)
app.command(rich_help_panel=_RELEASES)(comparing.diff)
app.command(rich_help_panel=_RELEASES)(comparing.approve)
app.command(rich_help_panel=_RELEASES)(comparing.reject)
app.command(rich_help_panel=_RELEASES)(lasting.rebuild)
app.command(rich_help_panel=_RELEASES)(lasting.gc)
app.command(rich_help_panel=_DATA)(catalogues.quarantine)
app.command(rich_help_panel=_DATA)(catalogues.lock)
app.command(rich_help_panel=_DATA)(lasting.forget)
app.command(rich_help_panel=_NIGHTS)(morning.status)
app.command(rich_help_panel=_NIGHTS)(morning.plan)
app.command(rich_help_panel=_NIGHTS)(morning.nights)
app.command(rich_help_panel=_NIGHTS)(pausing.pause)
app.command(rich_help_panel=_NIGHTS)(pausing.resume)
app.command(rich_help_panel=_HOUSE)(catalogues.settings)
app.command(rich_help_panel=_HOUSE)(catalogues.check)
app.command(rich_help_panel=_HOUSE)(doctor.doctor)


def _print_version(asked: bool) -> None:
    if asked:
        from kindex import __version__

        print(f"kindex {__version__}")
        raise typer.Exit


@app.callback()
def kindex(
    root: Annotated[str | None, typer.Option(help="The project's folder. Default: the nearest one with a params.yaml")] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version")
    ] = False,
) -> None:
    """Embeddings of the things in a catalogue, fresh every night: ask the live release, and look after the releases."""
    if root is not None:
        os.environ["KINDEX_ROOT"] = root


def main() -> None:
    """The entry point. Errors that a person can cure are one message on stderr and an exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still shows every id
    try:
        app()
    except KindexError as error:
        print(f"kindex: {printable(str(error), lines=True)}", file=sys.stderr)
        sys.exit(error.exit_code)
    except OSError as error:
        if not error.errno:
            raise
        print(f"kindex: {printable(str(error))}", file=sys.stderr)
        sys.exit(OutsideError.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
