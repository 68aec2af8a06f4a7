"""A split: a fixed division of the evidence into train and held-out, decided by hashes of ids and nothing else."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from kindex.core.catalogue import Catalogue, read, write


@dataclass(frozen=True)
class Split:
    """Two catalogues over the same source. A family sees `train` only."""

    train: Catalogue
    heldout: Catalogue


def read_split(folder: Path, name: str) -> Split:
    """The split written in `folder`. Raises `DamagedError` naming a damaged file."""
    return Split(read(folder / "train", name), read(folder / "heldout", name))


def write_split(folder: Path, split: Split) -> None:
    write(folder / "train", split.train)
    write(folder / "heldout", split.heldout)


def pair_fractions(left: pa.ChunkedArray, right: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each pair (N float64), a function of the two ids and the salt only."""
    left_N, right_N = _hashes(left, salt + "/left"), _hashes(right, salt + "/right")
    return fraction(_mix(left_N * np.uint64(0x9E3779B97F4A7C15) ^ right_N))


def id_fractions(ids: pa.ChunkedArray, salt: str) -> np.ndarray:
    """A number in [0, 1) for each id (N float64), a function of the id and the salt only."""
    return fraction(_hashes(ids, salt))


def fraction(hash_N: np.ndarray) -> np.ndarray:
    """uint64 hashes as float64 in [0, 1), by their upper 53 bits."""
    return (hash_N >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _hashes(ids: pa.ChunkedArray, salt: str) -> np.ndarray:
    """blake2b of each distinct id, as uint64 (N): hashing costs the distinct ids, not the rows."""
    encoded = pc.dictionary_encode(ids)
    chunks = encoded.chunks if isinstance(encoded, pa.ChunkedArray) else [encoded]
    if not chunks:
        return np.empty(0, np.uint64)
    unified = pa.chunked_array(chunks).unify_dictionaries()
    key = hashlib.blake2b(salt.encode(), digest_size=32).digest()
    distinct = np.array(
        [
            int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8, key=key).digest(), "little")
            for name in unified.chunk(0).dictionary.to_pylist()
        ],
        np.uint64,
    )
    codes_N = np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in unified.chunks])
    return distinct[codes_N]


def _mix(hash_N: np.ndarray) -> np.ndarray:
    """splitmix64's finaliser (Steele, Lea, Flood 2014): every input bit moves every output bit."""
    hash_N = (hash_N ^ (hash_N >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_N = (hash_N ^ (hash_N >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_N ^ (hash_N >> np.uint64(31))
