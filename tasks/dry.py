"""What DVC would say, asked without its locks: `kindex plan` must not hold up a night that begins while it looks.

A plain `dvc status` takes DVC's repository lock and writes itself into its record of readers, which a night that starts
in that moment finds busy. Here both lie in a temporary folder. What is seen while a night works may be half of its work.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from kindex.core.errors import ConfigError
from kindex.core.layout import Layout
from tasks.dvclock import PAUSE, TRIES, changed_settings, rewritten
from tasks.reasons import reason


def stale(layout: Layout, targets: list[str]) -> dict[str, str]:
    """Why each target that is not up to date is so. Raises `ConfigError` for a dvc.yaml or dvc.lock that DVC cannot read."""
    from dvc.exceptions import DvcException

    logging.getLogger("dvc").setLevel(logging.ERROR)
    with chdir(layout.root), TemporaryDirectory(prefix="kindex-plan-") as folder:
        for left in reversed(range(TRIES)):
            try:
                with looking(layout, folder) as repo:
                    found: dict[str, Any] = repo.status(targets=targets)
                break
            except DvcException as error:
                if left and rewritten(layout):
                    time.sleep(PAUSE)
                    continue
                why = error.__cause__ or error
                raise ConfigError(f"DVC cannot say what is stale: {why}. See dvc.yaml and dvc.lock") from None
    return {target: reason(changes, changed_settings(layout, target, changes)) for target, changes in found.items()}


@contextmanager
def looking(layout: Layout, folder: str) -> Iterator[Any]:
    """DVC's repository with its temporary files, and so all of its locks, in `folder`."""
    from dvc.repo import Repo

    class Looking(Repo):  # type: ignore[misc, unused-ignore]
        @property
        def tmp_dir(self) -> str:
            return folder

        def _ignore(self) -> None:
            """Nothing of the project is written, not even a .gitignore."""

    with Looking(str(layout.root)) as repo:
        yield repo
