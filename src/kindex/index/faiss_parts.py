"""Faiss, imported late and held to one thread, and what one of its indexes is made of."""

from types import ModuleType
from typing import Any


def faiss_one_thread() -> ModuleType:
    """Faiss, imported on first use and held to one thread: a second one changes bytes and gains nothing here."""
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss


def parts(faiss_index: Any) -> tuple[Any, list[Any], Any]:
    """The refining index or None, the transforms before the search, and the index that searches."""
    faiss = faiss_one_thread()
    inner = faiss.downcast_index(faiss_index)
    refine, chain = None, []
    if isinstance(inner, faiss.IndexRefine):
        refine, inner = inner, faiss.downcast_index(inner.base_index)
    if isinstance(inner, faiss.IndexPreTransform):
        chain = [faiss.downcast_VectorTransform(inner.chain.at(place)) for place in range(inner.chain.size())]
        inner = faiss.downcast_index(inner.index)
    return refine, chain, inner


def stored_bytes(faiss_index: Any) -> int:
    """Bytes of the file that it would be, counted without holding them."""
    faiss = faiss_one_thread()
    sizes: list[int] = []
    faiss.write_index(faiss_index, faiss.PyCallbackIOWriter(lambda part: sizes.append(len(part))))
    return sum(sizes)
