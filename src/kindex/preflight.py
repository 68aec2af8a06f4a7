"""Before any stage runs: hold every block of params.yaml against the source, family, index or gate that will read it."""

from kindex.core.errors import ConfigError, choices
from kindex.core.params import Params


def check_blocks(params: Params) -> None:
    """Raises `ConfigError` naming the block, the value and what is allowed. Imports every family, and torch with it."""
    from kindex.encoders import configure, require
    from kindex.index.build import check_kind
    from kindex.judge.gate import check_names
    from kindex.sources import source

    for key in params.evaluate.golden:
        if key not in params.models:
            raise ConfigError(f"evaluate.golden.{key} names no model: {choices(key, params.models)}. Edit params.yaml")
    sources = {key: source(block, key) for key, block in params.catalogues.items()}
    for key, model in params.models.items():
        dimensions = configure(model, key).dimensions
        module, config = sources[model.catalogue]
        require(model, key, module.tables(config))
        check_kind(params.indexes[key], dimensions, f"indexes.{key}")
        check_names(params.gates[key], f"gates.{key}")
