"""Arrays on disk, as safetensors: no code in data."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from kindex.core.errors import DamagedError
from kindex.core.files import write_atomic


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Equal arrays give equal bytes."""
    write_atomic(path, save({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}))


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Raises `DamagedError` naming a file that is missing or damaged."""
    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise DamagedError(f"{path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise DamagedError(f"{path} is not readable safetensors: {error}") from error
