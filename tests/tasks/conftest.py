"""Fixtures for tests of the adapters."""

from pathlib import Path

import pytest

from kindex.core.layout import Layout


@pytest.fixture(scope="session")
def prepared_var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A `var` with a migrated MLflow store: made once and copied, for making one takes seconds."""
    from tasks import tracking

    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("MLFLOW_TRACKING_URI", raising=False)
        layout = Layout(tmp_path_factory.mktemp("prepared"))
        tracking.prepare(layout)
    return layout.var
