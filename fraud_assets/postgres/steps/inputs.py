"""What an input asks for: which partitions of an asset, which columns and rows; and remembering what it was given.

The metadata keys that users write on inputs are understood here and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.steps.contexts import UNPARTITIONED, attempt_of
from fraud_assets.postgres.steps.seen import SEEN, SeenVersion
from fraud_assets.postgres.steps.windows import Window, in_order, known_in_order, window_around
from fraud_assets.postgres.storage.ledger import Version
from fraud_assets.postgres.storage.reading import Selection, WhereParam, Which


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
    if _asks_for_all(context):
        return Wanted(None)
    instance = _instance(context)
    keys = in_order(context.asset_partitions_def, context.asset_partition_keys, instance)
    is_own = _is_own_partition(context)
    if window is None:
        seen_by = {key: frozenset({key}) for key in keys} if is_own else None
        return Wanted(keys, frozenset(keys if is_required else ()), seen_by=seen_by)
    around = window_around(context.asset_partitions_def, keys, window, instance)
    required = frozenset(keys) if is_required and window.has_own else frozenset[str]()
    return Wanted(tuple(around), required, is_window=True, seen_by=around if is_own else None)


def requires_own_partition(metadata: Mapping[str, object]) -> bool:
    """Whether an input with this metadata cannot be loaded without the partition behind its edge."""
    window = metadata.get("window")
    is_inside = not isinstance(window, list | tuple) or window[0] <= 0 <= window[1]
    return is_inside and metadata.get("missing", "error") == "error"


def _asks_for_all(context: dg.InputContext) -> bool:
    """Whether all partitions are behind the edge: by an `AllPartitionMapping`, or as a reader has none itself."""
    if not _runs_in_step(context):
        return False
    step = context.step_context
    mapping = step.assets_def.get_partition_mapping_for_dep(context.asset_key) if step.assets_def else None
    is_default = mapping is None and step.entity_partitions_def is None
    return is_default or isinstance(mapping, dg.AllPartitionMapping)


def all_partitions(context: dg.InputContext, existing: Iterable[str]) -> tuple[str, ...]:
    """Those of an asset's stored partitions that its definition (still) has, in order."""
    return known_in_order(context.asset_partitions_def, existing, _instance(context))


def _instance(context: dg.InputContext) -> dg.DagsterInstance:
    return context.step_context.instance if _runs_in_step(context) else context.instance


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
    """The columns and rows that an input's metadata asks for. Raises `PostgresStorageError` for what cannot be meant.

    Storage sees the metadata first: Dagster puts it into an event afterwards, which cannot hold a date.
    """
    where = context.definition_metadata.get("where")
    if not (where is None or isinstance(where, str)):
        raise PostgresStorageError(f"An input's metadata says where={where!r}; it must be a condition in SQL, as text.")
    return Selection(_columns(context), where, _where_params(context), which(context))


def which(context: dg.InputContext) -> Which:
    """The version of each partition that an input's metadata asks for. Raises `PostgresStorageError`."""
    version = context.definition_metadata.get("version", Which.CURRENT)
    if version not in {Which.CURRENT, Which.FIRST}:
        raise PostgresStorageError(f"An input's metadata says version={version!r}; it must be 'current' or 'first'.")
    return Which(version)


def _columns(context: dg.InputContext) -> tuple[str, ...] | None:
    names = context.definition_metadata.get("columns")
    if names is None:
        return None
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise PostgresStorageError(f"An input's metadata says columns={names!r}; it must be a list of column names.")
    if not names:
        raise PostgresStorageError(
            f"An input's metadata says columns={names!r}; name at least one column, or leave columns out."
        )
    return tuple(names)


def _where_params(context: dg.InputContext) -> tuple[WhereParam, ...]:
    values = context.definition_metadata.get("where_params", ())
    if not isinstance(values, list | tuple):
        raise PostgresStorageError(
            f"An input's metadata says where_params={values!r}; it must be a list of values, one for each %s."
        )
    for value in values:
        plain = value if isinstance(value, list | tuple) else [value]
        if not all(one is None or isinstance(one, str | int | float) for one in plain):
            raise PostgresStorageError(
                f"An input's metadata has {value!r} in where_params; its values must be texts, numbers, booleans, "
                "None, or lists of these. Give a date or a decimal as text, such as '2024-03-01': PostgreSQL casts it."
            )
    return tuple(list(value) if isinstance(value, tuple) else value for value in values)


def note_seen(context: dg.InputContext, loaded: Sequence[Version], ask: Wanted) -> None:
    """Remember what a step has loaded, for the ledger rows of its outputs."""
    if not _runs_in_step(context):
        return
    partitions = ask.seen_by
    SEEN.add(
        attempt_of(context),
        [
            SeenVersion(
                version.version_id,
                version.asset_key,
                version.partition_key,
                version.version,
                None if partitions is None else partitions[version.partition_key],
            )
            for version in loaded
        ],
    )
