"""Which release a model goes on from: the parent lock follows the live release, but only when there is something to train.

The lock is an input of `train`. Moved for no reason it would make every night train, and make another release of the same
data; so it stays while data, settings and code are what they were, and the same inputs keep giving the same bytes.
"""

from kindex.core import release
from kindex.core.layout import Layout
from kindex.core.params import Params
from kindex.core.parent import Parent, read_parent, write_parent
from tasks.stages import Pipeline

ENCODERS = "src/kindex/encoders"
"""Code that makes vectors: once it has changed, nothing may be made of vectors that the former code made."""


def follow(layout: Layout, params: Params, model: str, pipeline: Pipeline, night: str, *, full: bool = False) -> bool:
    """Move the model's parent lock if tonight's training shall start from another release; whether it moved.

    `pipeline` says whether data, settings or code changed since `train` last ran: call this just before it, after the
    catalogue's stages. `night` is the logical date. `full` asks for a full build, which is only turned onto the parent.
    Killed and called again it ends the same. Raises `ConfigError` for an unknown model, `DamagedError` for a broken CURRENT.
    """
    params.model(model)
    path = layout.parent(model)
    releases = layout.releases(model)
    live = release.current(releases)
    inputs = pipeline.inputs(f"train@{model}")
    former = read_parent(path) if path.exists() else None
    own = path.relative_to(layout.root).as_posix()
    changed = [name for name in inputs or () if name != own]
    wanted = former
    if live and not path.exists():  # removed by hand, or older than parents: nothing is taken over
        wanted = Parent(live.version, live.digest, night, full=True)
    elif live and (changed or full):
        asked = bool(former and former.full and own in (inputs or ()))  # for a training that was killed before it began
        anew = full or asked or any(name.startswith(ENCODERS) for name in changed)
        wanted = Parent(live.version, live.digest, night, anew)
    elif former and not live and inputs is not None and former.version not in release.names(releases):
        wanted = None  # a clone without its releases begins anew
    if path.exists() and wanted == former:
        return False
    write_parent(path, wanted)
    return True
