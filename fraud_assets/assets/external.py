"""Where the data comes from, as assets that nobody here materializes: the transactions and labels at their source.

What lives here: what the lineage graph shows of them. What does not: reading them (`sources`). No path, URL or query is
told: Dagster shows what stands here to everybody.
"""

import dagster as dg

from fraud_assets.assets.plan import GROUP, OWNERS, Plan
from fraud_assets.settings import FilesSource, LabelFiles
from fraud_assets.sources.roles import Column, Kind, canonical_columns

SOURCE = "source_transactions"
LABEL_FEED = "label_feed"

_DESCRIPTIONS = {
    "simulated": "Simulated card transactions: any day can be made, and is the same each time.",
    "files": "One file a day in the landing folder: one row is one transaction as it is delivered.",
    "sql": "A table or query of another database: one row is one transaction.",
    "creditcard": "The public ULB/Kaggle file: one row is one transaction of its two days.",
}
_KINDS = {"simulated": "numpy", "sql": "sql", "creditcard": "csv"}
_TYPES = {
    Kind.IDENTIFIER: "identifier",
    Kind.TIMESTAMP: "timestamp",
    Kind.SECONDS: "seconds",
    Kind.NUMBER: "number",
    Kind.LABEL: "0, 1 or unknown",
    Kind.TEXT: "text",
}


def external_assets(plan: Plan) -> list[dg.AssetSpec]:
    """`source_transactions`, and `label_feed` where labels come in files of their own."""
    feed = plan.settings.labels
    return [_source(plan), *([_label_feed(feed)] if isinstance(feed, LabelFiles) else [])]


def source_columns(plan: Plan) -> tuple[Column, ...]:
    """The columns of the source that are read, each with its name in `raw_batch`."""
    seconds = plan.settings.source.kind == "creditcard"
    return canonical_columns(plan.roles, Kind.SECONDS if seconds else Kind.TIMESTAMP)


def label_columns(feed: LabelFiles) -> dict[str, str]:
    """The columns of the label feed that are read, by their name in `labels`."""
    named = {
        "transaction_id": feed.transaction_id,
        "label": feed.label,
        "known_at": feed.known_at,
        "kind": feed.label_kind,
    }
    return {name: source for name, source in named.items() if source is not None}


def _source(plan: Plan) -> dg.AssetSpec:
    source = plan.settings.source
    columns = [dg.TableColumn(c.source, _TYPES[c.kind], description=_becomes(c)) for c in source_columns(plan)]
    kind = _file_kind(source.pattern) if isinstance(source, FilesSource) else _KINDS[source.kind]
    return _external(SOURCE, _DESCRIPTIONS[source.kind], kind, columns)


def _label_feed(feed: LabelFiles) -> dg.AssetSpec:
    columns = [dg.TableColumn(source, description=f"becomes {name}") for name, source in label_columns(feed).items()]
    description = "One file for each day on which labels became known: one row is one label."
    return _external(LABEL_FEED, description, _file_kind(feed.pattern), columns)


def _external(key: str, description: str, kind: str, columns: list[dg.TableColumn]) -> dg.AssetSpec:
    return dg.AssetSpec(
        key,
        description=description,
        kinds={kind},
        owners=list(OWNERS),
        group_name=GROUP,
        metadata={"dagster/column_schema": dg.TableSchema(columns)},
    )


def _becomes(column: Column) -> str:
    return f"becomes {column.name}{', as its pseudonym' if column.sensitive else ''}"


def _file_kind(pattern: str) -> str:
    return "csv" if any(part in {"csv", "txt", "tsv"} for part in pattern.lower().split(".")[1:]) else "parquet"
