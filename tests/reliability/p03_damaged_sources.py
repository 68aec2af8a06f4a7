"""After a night with a whole source, one file of it is truncated, bit-flipped, given another format's first bytes, spliced,
doubled or filled with hostile bytes, and the next night reads it, up to validation: links as Parquet, CSV, JSON lines and
JSON, plain and packed; images in Parquet files and folders; captions; a Wikipedia dump as XML and as multistream bz2. Kept is:
the rest is used and the bad rows are in quarantine; or the night stops with exit code 3, the file named or a limit of
`catalogues.<c>.checks` stated, and the outputs of the former night are untouched. Anything else would be a traceback.
"""

from collections import Counter
from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

from kindex.core.catalogue import read_table
from kindex.core.errors import KindexError
from kindex.core.layout import Layout
from tests.reliability import Seen, chain
from tests.reliability.damaged import Victim, image_in_parquet, project, victims
from tests.sources.test_files import mutants

NUMBER = 3
PROMISE = "damaged source files"
WANTED = "at least 200 mutants, 0 tracebacks, the file is named, the rest is processed or the night stops by the stated limit"
LONG, SMALL, SLOW = 468, 13, True

STATED = ("validation stopped the night", "the columns are not those expected", "the source gave no")
INNER = "an image inside Parquet"


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """Each try is one mutant of one file; the formats take turns."""
    seen, became, known = Seen(), Counter[str](), victims()
    known[INNER] = known["images in Parquet"]
    whole = {name: project(scratch / f"whole {place}", victim) for place, (name, victim) in enumerate(known.items())}
    for name, number, content in _turns(known, whole, count):
        layout = chain.copied(whole[name], scratch / "night")
        path = layout.root / known[name].file
        if name == INNER:
            image_in_parquet(path, lambda image, content=content: content)
        else:
            path.write_bytes(content)
        what, held = _night(layout, whole[name], known[name])
        became[what] += 1
        seen.expect(held, f"{name}, mutant {number}: {what}")
        if seen.tries % 50 == 0:
            say(f"{seen.tries} mutants: {dict(became)}")
    seen.notes.append("; ".join(f"{number} {what}" for what, number in became.most_common()))
    return seen


def _turns(known: dict[str, Victim], whole: dict[str, Layout], count: int) -> list[tuple[str, int, bytes]]:
    """(format, number of the mutant, content), the first mutant of each format before the second of any."""
    of_each = []
    for name, victim in known.items():
        path = whole[name].root / victim.file
        content = read_table(path)["image"][5].as_py() if name == INNER else path.read_bytes()
        of_each.append([(name, number, mutant) for number, mutant in enumerate(mutants(content))])
    return [one for turn in zip_longest(*of_each) for one in turn if one][:count]


def _night(layout: Layout, before: Layout, victim: Victim) -> tuple[str, bool]:
    """What became of the night, in words, and whether that is as promised."""
    try:
        chain.night(layout)
    except KindexError as error:
        said = str(error)
        named = victim.file in said
        untouched = chain.outputs(layout, "validate") == chain.outputs(before, "validate")
        told = "stopped, the file is named" if named else "stopped by a stated limit"
        held = error.exit_code == 3 and (named or any(words in said for words in STATED)) and untouched
        return (told, True) if held else (f"exit code {error.exit_code}, former outputs untouched: {untouched}: {said}", False)
    except Exception as error:
        return f"a traceback: {type(error).__name__}: {error}", False
    refused = read_table(layout.out("validate", chain.KEY) / "quarantine.parquet")
    if refused.num_rows:
        origins = {origin.rpartition(":")[0] for origin in refused["origin"].to_pylist()}
        return "the rest was used, bad rows are in quarantine", bool(origins)
    same = chain.outputs(layout, "validate") == chain.outputs(before, "validate")
    return "all rows were still good" if not same else "nothing had changed in the rows", True
