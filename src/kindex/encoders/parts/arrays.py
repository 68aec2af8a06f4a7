"""Arrays on disk, as safetensors: no code in data."""

from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from kindex.core.errors import DamagedError
from kindex.core.files import replacing_file


def save_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Equal arrays give equal bytes."""
    with replacing_file(path) as temporary:
        save_file({name: np.ascontiguousarray(array) for name, array in sorted(arrays.items())}, temporary)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Raises `DamagedError` naming a file that is missing or damaged."""
    try:
        return load_file(path)
    except FileNotFoundError:
        raise DamagedError(f"{path} is missing") from None
    except (OSError, SafetensorError) as error:
        raise DamagedError(f"{path} is not readable safetensors: {error}") from error
