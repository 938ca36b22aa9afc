"""What Dagster says about an output or an input, in storage's own terms: table, partitions, window, origin.

The metadata keys that users write are understood here and nowhere else.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.ledger import Layout, Origin, Version
from fraud_assets.postgres.names import Relation, shortened
from fraud_assets.postgres.reading import Selection
from fraud_assets.postgres.seen import SEEN, SeenVersion, seen_from
from fraud_assets.postgres.tables import TableSpec

UNPARTITIONED = ""
MAX_FACT_CHARACTERS = 1_000
_OUTPUT_KEYS = frozenset(
    {"schema", "layout", "primary_key", "indexes", "column_types", "column_comments", "volatile", "max_rewrite_rows"}
)


@dataclass(frozen=True)
class Wanted:
    """The partitions that an input asks for. `keys` None means all that exist."""

    keys: tuple[str, ...] | None
    required: frozenset[str]
    reach: tuple[int, int] | None


def asset_name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def table_spec(context: dg.OutputContext, default_schema: str | None, options: Mapping[str, Any]) -> TableSpec:
    """The table of an output: the last part of its key, in the first schema that anyone names."""
    metadata = {key: value for key, value in context.definition_metadata.items() if key in _OUTPUT_KEYS}
    path = context.asset_key.path
    prefix = path[-2] if len(path) > 1 else None
    schema = metadata.get("schema") or default_schema or prefix or "public"
    layout = metadata.get("layout", Layout.PARTITIONS)
    if layout not in {Layout.PARTITIONS, Layout.ROWS}:
        raise PostgresStorageError(
            f"{asset_name(context.asset_key)} asks for the layout {layout!r}; it must be 'partitions' or 'rows'."
        )
    return TableSpec(
        asset_key=asset_name(context.asset_key),
        relation=Relation(shortened(str(schema)), shortened(path[-1])),
        layout=Layout(layout),
        primary_key=tuple(metadata.get("primary_key", ())),
        indexes=tuple(tuple(names) for names in metadata.get("indexes", ())),
        column_types=dict(metadata.get("column_types", {})),
        column_comments=dict(metadata.get("column_comments", {})),
        volatile=frozenset(metadata.get("volatile", ())),
        max_rewrite_rows=int(metadata.get("max_rewrite_rows", options["max_rewrite_rows"])),
    )


def output_partitions(context: dg.OutputContext) -> list[str]:
    return list(context.asset_partition_keys) if context.has_asset_partitions else [UNPARTITIONED]


def origins(context: dg.OutputContext, partition_keys: Sequence[str]) -> dict[str, Origin]:
    """Run, code version and upstream versions of each partition that an output writes."""
    seen = SEEN.by(context.run_id, context.step_key)
    ordered = None
    if context.has_asset_partitions and len(partition_keys) > 1:
        ordered = _positions(context.asset_partitions_def, context.step_context.instance)
    code_version = context.asset_spec.code_version
    return {key: Origin(context.run_id, code_version, seen_from(seen, key, ordered)) for key in partition_keys}


def facts(context: dg.OutputContext, partition_key: str) -> tuple[tuple[str, Any], ...]:
    """What the asset itself said about a partition in its metadata: short texts and numbers, for the ledger."""
    said = dict(context.output_metadata)
    step = context.step_context
    said |= step.get_asset_metadata(context.asset_key) or {}
    said |= step.get_asset_metadata(context.asset_key, partition_key) or {}
    plain = {name: getattr(value, "value", value) for name, value in said.items()}
    return tuple((name, value) for name, value in sorted(plain.items()) if _is_fact(value))


def _is_fact(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_FACT_CHARACTERS
    return isinstance(value, int | float) and value == value


def wanted(context: dg.InputContext) -> Wanted:
    """The partitions that an input loads.

    `window` in the input's metadata, `[first, last]` in partitions relative to the same-day one, brings the earlier
    partitions that exist; those behind the edge itself are required unless `missing` is "empty".
    """
    if not context.has_asset_partitions:
        return Wanted((UNPARTITIONED,), frozenset({UNPARTITIONED}) if _is_required(context) else frozenset(), None)
    step = context.step_context
    if not (step.has_partition_key or step.has_partition_key_range):
        return Wanted(None, frozenset(), None)
    keys = tuple(context.asset_partition_keys)
    window = context.definition_metadata.get("window")
    if window is None:
        return Wanted(keys, frozenset(keys) if _is_required(context) else frozenset(), None)
    first, last = int(window[0]), int(window[1])
    positions = _positions(context.asset_partitions_def, step.instance)
    found = sorted(positions[key] for key in keys if key in positions)
    if not found:
        return Wanted((), frozenset(), (first, last))
    ordered = list(positions)
    inside = tuple(ordered[max(0, found[0] + first) : max(0, found[-1] + last + 1)])
    required = frozenset(keys) & frozenset(inside) if _is_required(context) and first <= 0 <= last else frozenset()
    return Wanted(inside, required, (first, last))


def _is_required(context: dg.InputContext) -> bool:
    missing = context.definition_metadata.get("missing", "error")
    if missing not in {"error", "empty"}:
        raise PostgresStorageError(f"An input says missing={missing!r}; it must be 'error' or 'empty'.")
    return bool(missing == "error")


def _positions(partitions_def: dg.PartitionsDefinition[Any], instance: dg.DagsterInstance) -> dict[str, int]:
    keys = partitions_def.get_partition_keys(dynamic_partitions_store=instance)
    return {key: position for position, key in enumerate(keys)}


def selection(context: dg.InputContext) -> Selection:
    metadata = context.definition_metadata
    columns = metadata.get("columns")
    return Selection(
        columns=None if columns is None else tuple(columns),
        where=metadata.get("where"),
        where_params=tuple(metadata.get("where_params", ())),
    )


def note_seen(context: dg.InputContext, loaded: Sequence[Version], reach: tuple[int, int] | None) -> None:
    """Remember what a step has loaded, and say so in its input's metadata."""
    step = context.step_context
    SEEN.add(step.run_id, step.step.key, [SeenVersion(v.version_id, v.partition_key, reach) for v in loaded])


def combined_hash(hashes: Mapping[str, str]) -> str:
    """Dagster holds one data version for an output, also when a range run writes many partitions."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "\n".join(f"{key} {value}" for key, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
