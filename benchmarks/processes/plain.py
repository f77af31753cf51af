"""A code location of a thousand assets without a notebook: Dagster's own share."""

import dagster as dg


def _plain(number: int) -> dg.AssetsDefinition:
    @dg.asset(name=f"notebook_{number:04}")
    def plain() -> None:
        pass

    return plain


defs = dg.Definitions(assets=[_plain(number) for number in range(1000)])
