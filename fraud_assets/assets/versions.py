"""The code versions of what is learned: each says its own code and settings, and those of all that it is made from.

Dagster marks an asset as out of date for its own code version and for new data right above it, and looks no further:
with a changed search space it would mark the candidates, and scores only after new candidates are there. What storage
goes by to keep or to remake a history (`Plan.code_versions`) is left as it is.
"""

from collections.abc import Iterable

import dagster as dg

from fraud_assets.assets.plan import Plan, code_version


def with_versions_above(plan: Plan, assets: Iterable[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same assets, each one's code version a digest with those of the assets above it; in the order of `assets`.

    An asset stands behind those that it is made from.
    """
    known: dict[dg.AssetKey, str] = {}

    def said(spec: dg.AssetSpec) -> dg.AssetSpec:
        above = sorted({known[dep.asset_key] for dep in spec.deps if dep.asset_key in known})
        own = str(spec.code_version)
        if not above or spec.key.to_user_string() in plan.code_versions:
            return spec
        number, _, settings = own.partition("-")
        return spec.replace_attributes(code_version=code_version(number, settings, above))

    made = []
    for definition in assets:
        mapped = definition.map_asset_specs(said)
        known |= {spec.key: str(spec.code_version) for spec in mapped.specs}
        made.append(mapped)
    return made
