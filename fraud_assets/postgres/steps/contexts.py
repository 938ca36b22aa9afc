"""What Dagster says about an output, in storage's own terms: its table, its partitions, where it comes from.

The metadata keys that users write on assets are understood here and nowhere else; those of inputs in `inputs`.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import dagster as dg

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.names import Relation, shortened
from fraud_assets.postgres.steps.belonging import Belonging, belonging
from fraud_assets.postgres.steps.seen import SEEN, Attempt, SeenVersion
from fraud_assets.postgres.steps.windows import in_order
from fraud_assets.postgres.storage.ledger import Layout, Origin
from fraud_assets.postgres.storage.tables import TableSpec

UNPARTITIONED = ""
MAX_FACT_CHARACTERS = 1_000
MAX_DOCUMENT_CHARACTERS = 100_000
_LINEAGE = "dagster/column_lineage"


def asset_name(key: dg.AssetKey) -> str:
    return key.to_user_string()


def check_is_asset(context: dg.OutputContext | dg.InputContext) -> None:
    """Raise `PostgresStorageError` for an output of an op, or an input from one, that is no asset's."""
    if not context.has_asset_key:
        what = "output" if isinstance(context, dg.OutputContext) else "input"
        op = f" of the op {context.op_def.name!r}" if context.op_def else ""
        raise PostgresStorageError(
            f"The {what} {context.name!r}{op} is no asset's, and only assets are stored in PostgreSQL here; give the "
            "op's output another io_manager_key, such as that of dg.FilesystemIOManager."
        )


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
        primary_key=_columns(context, "primary_key"),
        indexes=_indexes(context),
        column_types=_by_column(context, "column_types"),
        column_comments=_by_column(context, "column_comments"),
        volatile=frozenset(_columns(context, "volatile")),
        max_rewrite_rows=_max_rewrite_rows(context, max_rewrite_rows),
        keep_first=_keep_first(context),
        archived_versions=archived_versions(context),
    )


def archived_versions(context: dg.OutputContext) -> int | None:
    """How many superseded versions of a partition the asset's metadata keeps; None where it does not say."""
    number = context.definition_metadata.get("archived_versions")
    if number is not None and (isinstance(number, bool) or not isinstance(number, int) or number < 0):
        raise _refused(context, "archived_versions", "a number of versions, 0 or more")
    return number


def volatile_attributes(context: dg.OutputContext) -> frozenset[str]:
    """The attributes of a model that measure the run."""
    names = context.definition_metadata.get("volatile", ())
    if not _are_names(names):
        raise _refused(context, "volatile", "a list of attribute names")
    return frozenset(names)


def _columns(context: dg.OutputContext, key: str) -> tuple[str, ...]:
    names = context.definition_metadata.get(key, ())
    if not _are_names(names):
        raise _refused(context, key, "a list of column names")
    return tuple(map(shortened, names))


def _indexes(context: dg.OutputContext) -> tuple[tuple[str, ...], ...]:
    indexes = context.definition_metadata.get("indexes", ())
    if not isinstance(indexes, list | tuple) or not all(_are_names(names) for names in indexes):
        raise _refused(context, "indexes", "a list of lists of column names")
    return tuple(tuple(map(shortened, names)) for names in indexes)


def _by_column(context: dg.OutputContext, key: str) -> dict[str, str]:
    texts = context.definition_metadata.get(key, {})
    if not isinstance(texts, Mapping) or not (_are_names(list(texts)) and _are_names(list(texts.values()))):
        raise _refused(context, key, "a dict of column names to texts")
    return {shortened(name): text for name, text in texts.items()}


def _max_rewrite_rows(context: dg.OutputContext, default: int) -> int:
    rows = context.definition_metadata.get("max_rewrite_rows", default)
    if isinstance(rows, bool) or not isinstance(rows, int | float) or not 0 <= rows < math.inf:
        raise _refused(context, "max_rewrite_rows", "a number of rows")
    return int(rows)


def _keep_first(context: dg.OutputContext) -> bool:
    says = context.definition_metadata.get("keep_first", False)
    if not isinstance(says, bool):
        raise _refused(context, "keep_first", "True or False")
    return says


def _are_names(value: object) -> bool:
    return isinstance(value, list | tuple | Set) and all(isinstance(name, str) for name in value)


def _refused(context: dg.OutputContext, key: str, meant: str) -> PostgresStorageError:
    said = context.definition_metadata[key]
    return PostgresStorageError(
        f"The metadata of {asset_name(context.asset_key)} says {key}={said!r}; it must be {meant}."
    )


def output_partitions(context: dg.OutputContext) -> list[str]:
    """The partitions of the run, in the order of their definition."""
    if not context.has_asset_partitions:
        return [UNPARTITIONED]
    keys = [str(key) for key in context.asset_partition_keys]
    return keys if len(keys) == 1 else list(in_order(context.asset_partitions_def, keys, context.step_context.instance))


def told_by_columns(context: dg.OutputContext) -> Callable[[Sequence[str]], Belonging] | None:
    """How the rows of an output tell their partition, where its `partition_expr` says so.

    Raises `PostgresStorageError` for one on an asset without partitions.
    """
    expression = context.definition_metadata.get("partition_expr")
    if expression is None:
        return None
    if not context.has_asset_partitions:
        raise PostgresStorageError(
            f"The metadata of {asset_name(context.asset_key)} says partition_expr={expression!r}, and the asset has no "
            "partitions; give it a partitions_def, or leave partition_expr out."
        )
    partitions = context.asset_partitions_def
    return lambda keys: belonging(expression, partitions, keys)


def origins(context: dg.OutputContext, partition_keys: Sequence[str]) -> dict[str, Origin]:
    """Run, code version and upstream versions of each partition that an output writes."""
    code_version = context.asset_spec.code_version
    seen = {key: tuple(version.version_id for version in seen_for(context, key)) for key in partition_keys}
    return {key: Origin(context.run_id, code_version, seen[key]) for key in partition_keys}


def seen_for(context: dg.OutputContext, partition_key: str) -> tuple[SeenVersion, ...]:
    """The versions that the step has loaded for a partition that it writes."""
    return SEEN.by(attempt_of(context), partition_key)


def undeclared_lineage(context: dg.OutputContext) -> dict[str, Any]:
    """The column lineage of an asset's definition, as metadata, where the materialization itself brings none."""
    declared = context.definition_metadata.get(_LINEAGE)
    return {} if declared is None or _LINEAGE in context.output_metadata else {_LINEAGE: declared}


def attempt_of(context: dg.OutputContext | dg.InputContext) -> Attempt:
    step = context.step_context
    return Attempt(step.run_id, step.step.key, step.previous_attempt_count)


def facts(context: dg.OutputContext, partition_key: str) -> tuple[tuple[str, Any], ...]:
    """What the asset itself said about a partition in its metadata: short texts, numbers and JSON, for the ledger."""
    said = dict(context.output_metadata)
    step = context.step_context
    said |= step.get_asset_metadata(context.asset_key) or {}
    said |= step.get_asset_metadata(context.asset_key, partition_key) or {}
    plain = {name: getattr(value, "value", value) for name, value in said.items()}
    return tuple((name, value) for name, value in sorted(plain.items()) if _is_fact(value))


def _is_fact(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_FACT_CHARACTERS and "\0" not in value
    if isinstance(value, dict | list):
        return _is_document(value)
    return isinstance(value, int) or (isinstance(value, float) and math.isfinite(value))


def _is_document(value: object) -> bool:
    """Whether it is JSON that the ledger can hold."""
    try:
        written = json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return len(written) <= MAX_DOCUMENT_CHARACTERS and "\\u0000" not in written


def combined_hash(hashes: Mapping[str, str]) -> str:
    """Dagster holds one data version for an output, also when a range run writes many partitions."""
    if len(hashes) == 1:
        return next(iter(hashes.values()))
    lines = "\n".join(f"{key} {value}" for key, value in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()
