"""The digits, against scikit-learn's own loader."""

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kindex.core.errors import DamagedError
from kindex.core.watch import Silent
from kindex.sources import NotAsLockedError, digits

CONFIG = digits.Config()


def test_images_and_labels_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    found = digits.read(CONFIG, digits.snapshot(CONFIG, Path()), Path(), Silent()).catalogue
    expected = load_digits()
    images_NHW = np.stack([np.asarray(Image.open(io.BytesIO(image.as_py()))) for image in found.images["image"]])
    assert images_NHW.dtype == np.uint8 and np.array_equal(images_NHW, expected.images * 15)
    assert found.items["label"].to_pylist() == [str(label) for label in expected.target]
    assert found.items["id"].to_pylist() == found.images["id"].to_pylist()
    assert (found.items["id"][0].as_py(), found.items["id"][-1].as_py()) == ("digit-0000", "digit-1796")


def test_the_snapshot_imports_neither_scikit_learn_nor_pandas():
    program = (
        "import sys; from pathlib import Path; from kindex.sources import digits, locking, python_environment\n"
        "digits.snapshot(digits.Config(), Path('.'))\n"
        "print([name for name in ('sklearn', 'pandas', 'torch', 'great_expectations', 'scipy') if name in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert said.strip() == "[]"


def test_another_file_or_version_is_refused():
    snapshot = digits.snapshot(CONFIG, Path())
    for name in ("sha256", "scikit-learn"):
        with pytest.raises(NotAsLockedError, match=rf"{name} is .*, locked is other"):
            digits.read(CONFIG, {**snapshot, name: "other"}, Path(), Silent())


DAMAGED = {
    "empty": b"",
    "not gzip": b"not gzip",
    "three numbers": gzip.compress(b"1,2,3\n"),
    "text": gzip.compress(b"x,y\n"),
    "a pixel of 17": gzip.compress(b"17," * 64 + b"3\n"),
    "truncated": gzip.compress(b"0," * 64 + b"3\n")[:-9],
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_an_error_that_names_the_file(name):
    with pytest.raises(DamagedError, match=r"digits\.csv\.gz"):
        digits.parse(DAMAGED[name])


def test_a_png_is_lossless():
    image_HW = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(digits.png(image_HW)))), image_HW)
