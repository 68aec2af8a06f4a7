"""Random logs of writes to a table of a shop, with later writes of the same rows and with deletions, reach a real SQLite
database shuffled, in pieces and with repeats; after each piece the catalogue's snapshot moves on. What is read at the end must
be what the same writes give when they are sorted by time and written once. A third of the sequences each reads a history of
every version, the present rows by a watermark with the keys compared, and everything; then the parts of the snapshot
themselves are shuffled and repeated, too.
"""

from collections.abc import Callable
from pathlib import Path

from tests.reliability import Seen
from tests.sources.sequences import WAYS, sequence

NUMBER = 5
PROMISE = "duplicated, late, out-of-order deltas"
WANTED = "500 sequences end in the same tables as sorted-once"
LONG, SMALL, SLOW = 500, 3, False


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """Each try is one sequence, by its seed."""
    seen = Seen()
    for seed in range(count):
        way = sorted(WAYS)[seed % len(WAYS)]
        try:
            seen.expect(sequence(scratch / str(seed), seed), f"sequence {seed}, by {way}, ends in other tables")
        except Exception as error:
            seen.expect(False, f"sequence {seed}, by {way}: {type(error).__name__}: {error}")
        if seed % 100 == 99:
            say(f"{seed + 1} sequences")
    ways = (f"{len(range(place, count, len(WAYS)))} by {way}" for place, way in enumerate(sorted(WAYS)))
    seen.notes.append(f"sequences: {', '.join(ways)}")
    return seen
