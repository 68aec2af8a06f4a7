"""The number of threads is the model's, whatever the environment says and whatever was loaded before."""

import os
import subprocess
import sys

import pytest

ASK = """
import kindex.stages.parts.running as stages
stages.fix_threads(1)
import numpy, scipy.linalg, sklearn.utils
from threadpoolctl import threadpool_info
print(*[pool["num_threads"] for pool in threadpool_info()])
"""


@pytest.mark.parametrize("said", [{}, {"OMP_NUM_THREADS": "2"}, {"OPENBLAS_NUM_THREADS": "2"}])
def test_every_pool_of_threads_has_as_many_as_the_model_says(said: dict[str, str]) -> None:
    own = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    found = subprocess.run([sys.executable, "-c", ASK], env={**own, **said}, capture_output=True, text=True, check=True)
    assert set(found.stdout.split()) == {"1"}
