"""kindex learns embeddings of the things in a catalogue and answers questions about them.

import kindex
modules = kindex.open("modules-pairs")
modules.similar("torch.optim.adam", k=10)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kindex.ask.live import Live

__version__ = "0.1.0"
__all__ = ["open"]


def open(model: str, **where: Any) -> "Live":
    """The live release of `model`; see `kindex.ask.live.open_live` for the arguments."""
    from kindex.ask.live import open_live  # numpy, pyarrow and faiss are paid for here, not at `import kindex`

    return open_live(model, **where)
