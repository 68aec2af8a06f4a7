"""Before any stage runs: hold every block of params.yaml against the source, the family or the gate that will read it."""

from kindex.core.params import Params


def check_blocks(params: Params) -> None:
    """Raises `ConfigError` naming the block, the value and what is allowed. Imports every family, and torch with it."""
    from kindex.encoders import configure, require
    from kindex.judge.gate import check_names
    from kindex.sources import source

    sources = {key: source(block, key) for key, block in params.catalogues.items()}
    for key, model in params.models.items():
        configure(model, key)
        module, config = sources[model.catalogue]
        require(model, key, module.tables(config))
        check_names(params.gates[key], f"gates.{key}")
