"""The `rows` tables as storage lays them out: columns of each, and how a frame gets into one.

What does not live here: what the rows say (`made_history`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from psycopg import Connection, sql

_SHARES = ("average_precision", "roc_auc", "precision_at_k", "saving_per_day")
_PROMISED = tuple(f"promised_{name}{end}" for name in _SHARES for end in ("", "_low", "_high"))

# By table, the columns of each type; what is in none of them is text.
TABLES: Mapping[str, Mapping[str, str]] = {
    "daily_summary": {
        "text": "day labelled_day decision_kind decision scored_as family challenger searched_on trained_from"
        " trained_until",
        "bigint": "transactions rejected learnable alerts labelled_transactions frauds model_version drifted_features"
        " watched_features report_bytes",
        "double precision": "amount_total alerted_amount expected_saving lowest_alert_score fraud_rate fraud_amount"
        " threshold score score_low score_high",
        "boolean": "is_promotion",
    },
    "performance_report": {"text": "day html sections"},
    "evaluation_table": {
        "text": "day candidate degenerate failure",
        "double precision": "average_precision roc_auc precision_at_k recall_at_k card_precision_at_100 recall"
        " precision f1 accuracy brier_score brier_skill expected_calibration_error saving_per_day"
        " expected_saving_per_day average_precision_low average_precision_high roc_auc_low roc_auc_high"
        " precision_at_k_low precision_at_k_high saving_per_day_low saving_per_day_high threshold fit_seconds",
        "bigint": "validation_rows validation_frauds",
    },
    "evaluation_slices": {
        "text": "day candidate slice_kind slice",
        "bigint": "rows frauds",
        "double precision": "average_precision roc_auc precision_at_k recall_at_k card_precision_at_100 recall"
        " precision f1 accuracy brier_score brier_skill expected_calibration_error saving_per_day"
        " expected_saving_per_day",
    },
    "operating_points": {
        "text": "day candidate",
        "bigint": "alerts frauds_caught false_alarms",
        "double precision": "threshold alerts_per_day precision recall false_positive_rate saving_per_day",
        "boolean": "is_chosen",
    },
    "calibration_bins": {
        "text": "day candidate",
        "bigint": "bin rows frauds",
        "double precision": "lowest_score highest_score mean_score fraud_share fraud_share_low fraud_share_high",
    },
    "live_performance": {
        "text": "day scored_date week_expected_by reason",
        "bigint": "scored_version later_versions transactions labels frauds alerts alerts_labelled frauds_in_alerts"
        " history_weeks",
        "boolean": " ".join(["is_retrospective", *(f"is_{name}_as_promised" for name in _SHARES)]),
        "double precision": " ".join(
            [
                "alert_precision alert_recall week_average_precision week_expected_low week_expected_high",
                *_SHARES,
                *_PROMISED,
                *(f"difference_{name}" for name in _SHARES),
                *(f"next_week_{name}_{end}" for name in _SHARES for end in ("low", "high")),
            ]
        ),
    },
    "label_maturity": {
        "bigint": "age_days transactions labels frauds",
        "double precision": "labels_known frauds_known",
    },
    "feature_drift": {
        "text": "day subject level note",
        "double precision": "psi psi_by_chance missing_rate reference_missing_rate value reference_value expected_low"
        " expected_high",
        "bigint": "rows reference_rows",
    },
    "feature_importance": {"text": "day recipe feature", "double precision": "importance standard_deviation"},
}
SCORED = {
    "transaction_id": "bigint",
    "transaction_time": "timestamptz",
    "customer_id": "bigint",
    "terminal_id": "bigint",
    "amount": "double precision",
    "score": "double precision",
    "rank": "bigint",
    "is_alert": "boolean",
    "review_sample": "boolean",
    "reason_1": "text",
    "reason_2": "text",
    "reason_3": "text",
}


@dataclass(frozen=True)
class Tables:
    """The tables of one schema, through an open connection in autocommit."""

    connection: Connection[Any]
    schema: str

    def create(self) -> None:
        self.connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(self.schema)))
        for table, types in TABLES.items():
            self._create(table, _columns(types) | {"partition_key": "text", "row_ordinal": "integer"})
            self._run("CREATE UNIQUE INDEX ON {} (partition_key, row_ordinal)", table)
        self._create("scored_batch", SCORED | {"partition_key": "text"}, " PARTITION BY LIST (partition_key)")

    def replace(self, table: str, day: str, rows: pd.DataFrame) -> None:
        """A day's rows, in the order of the frame; columns that it lacks are NULL. As storage does it: at once."""
        with self.connection.transaction():
            self.remove(table, day)
            self.append(table, rows, rows.assign(day=day)["day"])

    def append(self, table: str, rows: pd.DataFrame, days: pd.Series) -> None:
        """The rows of several days: `days` names that of each."""
        ordinals = days.groupby(days, sort=False).cumcount()
        self._copy(table, rows.assign(partition_key=days, row_ordinal=ordinals))

    def remove(self, table: str, day: str) -> None:
        self._run("DELETE FROM {} WHERE partition_key = %s", table, day)

    def add_scores(self, day: str, scored: pd.DataFrame) -> None:
        """The day's partition of scored_batch."""
        child = f"scored_batch__{day.replace('-', '_')}__1"
        self.connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES IN ({})").format(
                self.name(child), self.name("scored_batch"), sql.Literal(day)
            )
        )
        self._copy(child, scored.assign(partition_key=day))

    def _copy(self, table: str, rows: pd.DataFrame) -> None:
        listed = sql.SQL(", ").join(map(sql.Identifier, rows.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(self.name(table), listed)
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for values in rows.astype(object).where(rows.notna(), None).itertuples(index=False):
                copy.write_row(list(values))

    def name(self, table: str) -> sql.Identifier:
        return sql.Identifier(self.schema, table)

    def _create(self, table: str, columns: Mapping[str, str], tail: str = "") -> None:
        listed = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()
        )
        self.connection.execute(sql.SQL("CREATE TABLE {} ({}){}").format(self.name(table), listed, sql.SQL(tail)))

    def _run(self, statement: str, table: str, *values: object) -> None:
        composed = sql.SQL(statement).format(self.name(table))
        self.connection.execute(composed, list(values))


def _columns(types: Mapping[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in types.items() for name in names.split()}
