"""Releases are published, then rolled back by the function that `kindex rollback` calls, one after the other, while two
readers open and ask the live release without a pause. Each rollback is timed, and afterwards everything that can be asked
is asked: neighbours, the bits of their scores, the vectors and the digest must be those of before.
"""

import time
from pathlib import Path

from kindex.ask.live import open_live
from kindex.core.pointer import rollback
from tests.reliability import Say, Seen
from tests.reliability.reading import MODEL, answers, publish, readers

NUMBER = 13
PROMISE = "a rollback is at once, and gives the former answers"
WANTED = "under load: < 1 s, byte for byte"
LONG, SMALL = 100, 4
SLOW = True


def tried(scratch: Path, count: int, say: Say) -> Seen:
    """`count` rollbacks, each of a release that was published just before; every fifth goes back to the very first."""
    seen, seconds = Seen(), []
    layout = publish(scratch / "project", 1)
    releases = layout.releases(MODEL)
    first = before = answers(open_live(MODEL, root=layout.root))
    with readers(layout, 2) as told:
        for number in range(2, count + 2):
            publish(layout.root, number)
            to = "v0001" if number % 5 == 0 else None
            seen.expect(answers(open_live(MODEL, root=layout.root)) != before, f"release {number} answers as the former one")
            began = time.perf_counter()
            rollback(releases, to)
            seconds.append(time.perf_counter() - began)
            same = answers(open_live(MODEL, root=layout.root)) == (first if to else before)
            seen.expect(same, f"after the rollback of {number} the answers are not the former ones")
            seen.expect(seconds[-1] < 1, f"the rollback of {number} took {seconds[-1]:.2f} s")
            if number % 3 == 0:  # the next one goes back to another release than the first
                publish(layout.root, 10_000 + number)
            before = answers(open_live(MODEL, root=layout.root))
            say(f"{number - 1} of {count}") if number % 50 == 0 else None
    for one in told:
        seen.tries += one.reads
        seen.failures += one.wrong
    ordered = sorted(seconds)
    middle, most = ordered[len(ordered) // 2], ordered[-1]
    seen.notes.append(f"{count} rollbacks, median {1000 * middle:.1f} ms, longest {1000 * most:.1f} ms")
    seen.notes.append(
        f"{sum(one.reads for one in told):,} reads meanwhile, none of them wrong" if not seen.failures else "reads failed"
    )
    return seen
