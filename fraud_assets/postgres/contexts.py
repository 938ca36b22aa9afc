"""What Dagster says about an output or an input, in storage's own terms: table, partitions, window, origin.

The metadata keys that users write are understood here and nowhere else.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.ledger import Layout, Origin, Version
from fraud_assets.postgres.names import Relation, shortened
from fraud_assets.postgres.reading import Selection
from fraud_assets.postgres.seen import SEEN, Attempt, SeenVersion
from fraud_assets.postgres.tables import TableSpec
from fraud_assets.postgres.windows import Window, neighbourhood

UNPARTITIONED = ""
MAX_FACT_CHARACTERS = 1_000


@dataclass(frozen=True)
class Wanted:
    """The partitions that an input asks for. `keys` None means all that exist."""

    keys: tuple[str, ...] | None
    required: frozenset[str] = frozenset()
    is_window: bool = False
    seen_by: Mapping[str, frozenset[str]] | None = None
    """The partitions of the run that each key is loaded for; None means all of them."""

    @property
    def is_single(self) -> bool:
        """Whether it is one partition by its nature, and not a window that happens to reach no further."""
        return self.keys is not None and len(self.keys) == 1 and not self.is_window


def asset_name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def table_spec(context: dg.OutputContext, default_schema: str | None, max_rewrite_rows: int) -> TableSpec:
    """The table of an output: the last part of its key, in the first schema that anyone names."""
    metadata = context.definition_metadata
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
        primary_key=_names(metadata, "primary_key"),
        indexes=tuple(_names({"indexes": names}, "indexes") for names in metadata.get("indexes", ())),
        column_types=_by_column(metadata, "column_types"),
        column_comments=_by_column(metadata, "column_comments"),
        volatile=frozenset(_names(metadata, "volatile")),
        max_rewrite_rows=int(metadata.get("max_rewrite_rows", max_rewrite_rows)),
    )


def _names(metadata: Mapping[str, Any], key: str) -> tuple[str, ...]:
    names = metadata.get(key, ())
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise PostgresStorageError(f"{key}={names!r} in an asset's metadata must be a list of column names.")
    return tuple(map(shortened, names))


def _by_column(metadata: Mapping[str, Any], key: str) -> dict[str, str]:
    return {shortened(name): value for name, value in metadata.get(key, {}).items()}


def output_partitions(context: dg.OutputContext) -> list[str]:
    return [str(key) for key in context.asset_partition_keys] if context.has_asset_partitions else [UNPARTITIONED]


def origins(context: dg.OutputContext, partition_keys: Sequence[str]) -> dict[str, Origin]:
    """Run, code version and upstream versions of each partition that an output writes."""
    attempt = _attempt(context)
    code_version = context.asset_spec.code_version
    return {key: Origin(context.run_id, code_version, SEEN.by(attempt, key)) for key in partition_keys}


def _attempt(context: dg.OutputContext | dg.InputContext) -> Attempt:
    step = context.step_context
    return Attempt(step.run_id, step.step.key, step.previous_attempt_count)


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
        return len(value) <= MAX_FACT_CHARACTERS and "\0" not in value
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def wanted(context: dg.InputContext) -> Wanted:
    """The partitions that an input loads.

    `window` in the input's metadata, `[first, last]` in partitions relative to the same-day one, brings the earlier
    partitions that exist; those behind the edge itself are required unless `missing` is "empty". A reader without
    partitions gets all that exist.
    """
    is_required, window = _is_required(context), _window(context)
    if not context.has_asset_partitions:
        if _has_partitioned_upstream(context):
            return Wanted(None)
        return Wanted((UNPARTITIONED,), frozenset({UNPARTITIONED} if is_required else ()))
    if _runs_in_step(context) and context.step_context.entity_partitions_def is None:
        return Wanted(None)
    keys = tuple(str(key) for key in context.asset_partition_keys)
    is_own = _is_own_partition(context)
    if window is None:
        seen_by = {key: frozenset({key}) for key in keys} if is_own else None
        return Wanted(keys, frozenset(keys if is_required else ()), seen_by=seen_by)
    instance = context.step_context.instance if _runs_in_step(context) else context.instance
    around = neighbourhood(context.asset_partitions_def, keys, window, instance)
    required = frozenset(keys) if is_required and window.has_own else frozenset[str]()
    seen_by = around.askers(window) if is_own else None
    return Wanted(around.inside(window), required, is_window=True, seen_by=seen_by)


def _is_required(context: dg.InputContext) -> bool:
    missing = context.definition_metadata.get("missing", "error")
    if missing not in {"error", "empty"}:
        raise PostgresStorageError(f"An input's metadata says missing={missing!r}; it must be 'error' or 'empty'.")
    return bool(missing == "error")


def _window(context: dg.InputContext) -> Window | None:
    value = context.definition_metadata.get("window")
    if value is None:
        return None
    is_pair = isinstance(value, list | tuple) and len(value) == 2 and all(type(offset) is int for offset in value)
    if not is_pair or value[0] > value[1]:
        raise PostgresStorageError(
            f"An input's metadata says window={value!r}; it must be the offsets of its first and last partition, "
            "such as [-37, 0]."
        )
    return Window(*value)


def _runs_in_step(context: dg.InputContext) -> bool:
    """False where a value is loaded by hand, `Definitions.load_asset_value`: nothing is recorded then."""
    return context._step_context is not None


def _has_partitioned_upstream(context: dg.InputContext) -> bool:
    try:
        return context.asset_partitions_def is not None
    except dg.DagsterInvariantViolationError:
        return False


def _is_own_partition(context: dg.InputContext) -> bool:
    """Whether each partition of the run reads the one of its own key, as far as can be told; else each counts for all.

    The last is never wrong, only less exact.
    """
    if not _runs_in_step(context) or context.step_context.assets_def is None:
        return False
    assets, upstream = context.step_context.assets_def, context.asset_partitions_def
    mapping = assets.get_partition_mapping_for_dep(context.asset_key)
    if isinstance(mapping, dg.TimeWindowPartitionMapping) and mapping.start_offset == mapping.end_offset == 0:
        mapping = None
    if not (mapping is None or isinstance(mapping, dg.IdentityPartitionMapping)):
        return False
    own = assets.partitions_def
    if isinstance(own, dg.TimeWindowPartitionsDefinition) and isinstance(upstream, dg.TimeWindowPartitionsDefinition):
        return own.equal_except_for_start_or_end(upstream)
    return bool(own == upstream)


def selection(context: dg.InputContext) -> Selection:
    metadata = context.definition_metadata
    columns = metadata.get("columns")
    return Selection(
        columns=None if columns is None else tuple(columns),
        where=metadata.get("where"),
        where_params=tuple(metadata.get("where_params", ())),
    )


def note_seen(context: dg.InputContext, loaded: Sequence[Version], ask: Wanted) -> None:
    """Remember what a step has loaded, for the ledger rows of its outputs."""
    if not _runs_in_step(context):
        return
    partitions = ask.seen_by
    SEEN.add(
        _attempt(context),
        [SeenVersion(v.version_id, None if partitions is None else partitions[v.partition_key]) for v in loaded],
    )


def combined_hash(hashes: Mapping[str, str]) -> str:
    """Dagster holds one data version for an output, also when a range run writes many partitions."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "\n".join(f"{key} {value}" for key, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
