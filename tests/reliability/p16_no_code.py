"""Releases of every family are made, and each file of them is looked at: none is, or holds, a pickle. While their stages run
and while they are opened and asked, an audit hook hears whether an unpickler looks anything up. The code of kindex, its tasks
and flows is searched for what could run code from data: pickle and its relatives, torch.load, allow_pickle, eval, exec.

Then files that make a canary when they are unpickled, evaluated or imported (pickles of four protocols, files of torch old and
new, NumPy arrays of objects, bytecode …) take the place of each file of a release whose manifest agrees with them, of files of
a source, of images, locks, settings, stage outputs and checkpoints. Each must be refused in words, and no canary be made.
"""

import ast
import itertools
import pickletools
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from kindex.ask.live import open_live
from kindex.core.layout import Layout
from tests import projects
from tests.reliability import Seen, chain, hostile, outside

NUMBER = 16
PROMISE = "no code in data"
WANTED = "0 pickles in a release; at least 20 hostile files refused"
LONG, SMALL, SLOW = 312, 25, True

CODE = ("src/kindex", "tasks", "flows")
MODULES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy"}
CALLS = {"eval", "exec", "compile", "__import__"}
SCENES = {"family": "captioner", "dimensions": 8, "word_dimensions": 8, "hidden": 8, "epochs": 1, "batch": 16}


def tried(scratch: Path, count: int, say: Callable[[str], None]) -> Seen:
    """`count` hostile files; in the long form a captioner, too, which takes longest to make."""
    seen, canary = Seen(), scratch / "canary"
    with outside.unpickling() as unpickled:
        linked = _released(scratch / "linked", _links, chain.PAIRS)
        pictured = _released(scratch / "pictures", _stamps, chain.PICTURES)
        families = {"pairs": linked, "autoencoder": pictured}
        if count >= LONG:
            families["captioner"] = _released(
                scratch / "scenes", lambda root: {"kind": "scenes", "count": 60, "captions": 2}, SCENES
            )
    seen.expect(not unpickled, f"unpickled while releases were made and asked: {sorted(set(unpickled))[:5]}")
    files = [path for layout in families.values() for path in sorted((layout.root / "releases").rglob("*")) if path.is_file()]
    pickles = [path.name for path in files if _is_pickle(path)]
    seen.expect(not pickles, f"pickles in releases: {pickles}")
    seen.notes.append(f"{len(files)} files of releases of {', '.join(families)}: {len(pickles)} pickles")
    found = sorted(f"{path}: {what}" for path, what in _dangers(projects.ROOT))
    seen.expect(not found, f"in the code: {found}")
    say(f"releases and code looked at, {len(seen.failures)} failures")
    made = hostile.attempts(scratch, canary, linked, pictured)
    special = [
        make(chain.copied(linked, scratch / make.__name__), canary) for make in (hostile.objects_in_yaml, hostile.pickled_type)
    ]
    refused = 0
    with outside.unpickling() as unpickled:
        for attempt in itertools.chain(special, itertools.islice(made, count)):
            what = hostile.outcome(attempt)
            seen.expect(not what and not canary.exists(), f"{attempt.name}: {'it ran' if canary.exists() else what}")
            canary.unlink(missing_ok=True)
            refused += not what
            if seen.tries % 50 == 0:
                say(f"{seen.tries} tries, {len(seen.failures)} failures")
    seen.expect(not unpickled, f"unpickled hostile files: {sorted(set(unpickled))[:5]}")
    seen.notes.append(f"{refused} hostile files refused, no canary made")
    return seen


def _released(root: Path, source: Callable[[Path], dict[str, object]], model: dict[str, object]) -> Layout:
    """A project with a release, which has answered."""
    root.mkdir()
    layout = chain.made(root, source(root), model)
    chain.night(layout, "evaluate")
    chain.released(layout)
    live = open_live(chain.MODEL, root=root)
    kind, space = next(iter(live.spaces.items()))
    live.similar(space.ids[0], kind=kind)
    return layout


def _links(root: Path) -> dict[str, object]:
    projects.write_links(root / "links.csv")
    return {
        "kind": "files",
        "links": "links.csv",
        "left": "basket",
        "right": "fruit",
        "left_kind": "user",
        "right_kind": "fruit",
    }


def _stamps(root: Path) -> dict[str, object]:
    projects.write_stamps(root / "stamps.parquet")
    return {"kind": "files", "images": "stamps.parquet", "label": "label"}


def _is_pickle(path: Path) -> bool:
    """Whether the file is a pickle from its first byte to its last, or an archive, as torch and NumPy put pickles in."""
    content = path.read_bytes()
    try:
        stops = [place for op, _, place in pickletools.genops(content) if op.name == "STOP"]
    except ValueError:
        stops = []
    return bool(stops) or zipfile.is_zipfile(path) or content.startswith(b"\x93NUMPY")


def _dangers(root: Path) -> Iterator[tuple[str, str]]:
    """(file, what) in the code that could make data run."""
    for path in sorted(path for folder in CODE for path in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            yield from ((path.name, f"imports {name}") for name in names if name.split(".")[0] in MODULES)
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                if called in CALLS or called in ("torch.load", "yaml.unsafe_load", "yaml.full_load", "np.fromfile"):
                    yield path.name, f"calls {called}"
                yield from ((path.name, "allows pickles") for word in node.keywords if _allows(word))


def _allows(word: ast.keyword) -> bool:
    return word.arg == "allow_pickle" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
