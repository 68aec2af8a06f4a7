"""Each release carries its own number in the vectors, the index, the descriptions and the report. Readers in processes of
their own open the live one (which holds every file against the manifest), look whether all numbers agree and whether the
index scores by these vectors, and begin again, without a pause, while releases are published one after the other.
"""

import time
from pathlib import Path

from tests.reliability import Say, Seen
from tests.reliability.reading import publish, readers

NUMBER = 12
PROMISE = "vectors, index and ids are one: a reader never gets a mixture"
WANTED = "at least 10,000 reads during 200 publishes, 0 mixtures"
LONG, SMALL = 200, 8
SLOW = True
READS = 20  # for each release at least, so that they are 10,000 and more


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` publishes, each followed by a pause of so many reads as a reader of this process times them."""
    seen = Seen()
    layout = publish(scratch / "project", 1)
    pause = _seconds_of_reads(layout.root)
    with readers(layout, 2) as told:
        for number in range(2, count + 2):
            publish(layout.root, number)
            time.sleep(pause)
            if number % 50 == 0:
                say(f"{number} of {count} published")
    for one in told:
        seen.tries += one.reads
        seen.failures += one.wrong
    met = set().union(*(one.numbers for one in told))
    seen.expect(len(met) > count / 2, f"the readers met only {len(met)} of {count} releases")
    seen.notes.append(f"{sum(one.reads for one in told):,} reads by 2 readers, which met {len(met)} of {count + 1} releases")
    return seen


def _seconds_of_reads(root: Path) -> float:
    """What `READS` reads take here, shared by two readers."""
    from kindex.ask.live import open_live
    from tests.reliability.reading import MODEL, number_of

    began = time.monotonic()
    for _ in range(20):
        number_of(open_live(MODEL, root=root))
    return (time.monotonic() - began) / 20 * READS / 2
