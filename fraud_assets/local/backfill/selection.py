"""Which assets a backfill is asked for: names as the lineage shows them, or Dagster's selection syntax."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import dagster as dg

from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.errors import Refusal

NEAREST = 3


@dataclass(frozen=True)
class Selected:
    """The assets to make, in order, and those of them that nobody named: their step makes them with one that was."""

    assets: tuple[str, ...]
    brought: tuple[str, ...]


def select(defs: dg.Definitions, lineage: Lineage, asked: Sequence[str]) -> Selected:
    """The assets that were asked for, all where nothing was named. Raises `Refusal` for what cannot be found."""
    named = set(lineage.order) if not asked else set[str]().union(*(_found(defs, lineage, one) for one in asked))
    chosen = set[str]().union(*(lineage.together[name] for name in named))
    return Selected(tuple(lineage.sorted(chosen)), tuple(lineage.sorted(chosen - named)))


def _found(defs: dg.Definitions, lineage: Lineage, asked: str) -> set[str]:
    if asked in lineage.order:
        return {asked}
    # A folder of assets; Dagster's own syntax wants quotes and its attribute's name around it.
    written = f'key:"{asked}"' if "*" in asked and "/" in asked and ":" not in asked else asked
    try:
        keys = dg.AssetSelection.from_string(written).resolve(defs.resolve_asset_graph())
    except dg.DagsterError as error:
        raise Refusal(_unknown(lineage, asked)) from error
    found = {key.to_user_string() for key in keys} & set(lineage.order)
    if not found:
        raise Refusal(_unknown(lineage, asked))
    return found


def _unknown(lineage: Lineage, asked: str) -> str:
    # People write the last part of a key, and +'s around it.
    short = {name.rpartition("/")[2]: name for name in lineage.order} | {name: name for name in lineage.order}
    word = asked.strip("+*/")
    close = [name for name in lineage.order if word in name][:NEAREST] or get_close_matches(word, short, NEAREST)
    near = [short[name] for name in close]
    meant = ", ".join(dict.fromkeys(near)) or ", ".join(lineage.order)
    return (
        f"--select {asked!r} is no asset; {'did you mean' if near else 'the assets are'} {meant}{'?' if near else '.'} "
        "A selection in Dagster's syntax, such as 'raw_batch+', works too."
    )
