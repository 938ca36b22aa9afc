"""Where transactions and labels come from, and which of their columns plays which part."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from fraud_assets.settings.values import Section, TimezoneName


class ColumnRoles(Section):
    """Which of the source's columns plays which part. Only timestamp and amount must be there."""

    transaction_id: str | None = None
    timestamp: str = "timestamp"
    timestamp_timezone: TimezoneName | None = Field(default=None, description="the time zone of naive timestamps")
    amount: str = "amount"
    currency: str | None = None
    label: str | None = None
    customer: str | None = None
    terminal: str | None = None
    outcome: str | None = Field(default=None, description="whether the issuer approved or declined")
    declined_outcomes: tuple[str, ...] = ("declined",)
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = Field(default=(), description="columns to replace by their HMAC on the way in")

    @model_validator(mode="after")
    def _one_role_each(self) -> "ColumnRoles":
        single = [self.transaction_id, self.timestamp, self.amount, self.currency, self.label]
        single += [self.customer, self.terminal, self.outcome]
        named = [name for name in (*single, *self.numeric, *self.categorical) if name is not None]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"the column {twice[0]!r} has two roles; give it one")
        return self


class SimulatedSource(Section):
    """Customers, terminals and three fraud scenarios, made for any day from its date and the seed alone."""

    kind: Literal["simulated"] = "simulated"
    seed: int = Field(default=0, ge=0)
    customers: int = Field(default=5_000, ge=1, description="about 1.92 transactions a day each")
    terminals: int = Field(default=10_000, ge=1)
    radius: float = Field(default=5.0, gt=0, description="how far a customer goes, in a square of 100 by 100")
    drift: float = Field(
        default=0.0, ge=0, description="relative growth of amounts and of compromised customers over a year"
    )


class FilesSource(Section):
    """A landing folder with one CSV or Parquet file a day."""

    kind: Literal["files"]
    folder: Path
    pattern: str = Field(
        default="{date}.parquet", pattern=r"\{date\}", description="the file's name, with {date} in it"
    )
    date_format: str = Field(default="%Y-%m-%d", description="how {date} is written, in strftime's terms")
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    columns: ColumnRoles = ColumnRoles()


class SqlSource(Section):
    """A table or query behind any SQLAlchemy URL."""

    kind: Literal["sql"]
    url: SecretStr
    table: str | None = Field(default=None, description="a table, or schema.table")
    query: str | None = Field(default=None, description="a SELECT instead of a table")
    columns: ColumnRoles = ColumnRoles()

    @model_validator(mode="after")
    def _table_or_query(self) -> "SqlSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either table or query, and not both")
        return self


class CreditcardSource(Section):
    """The public ULB/Kaggle file: Time, V1..V28, Amount, Class over two days."""

    kind: Literal["creditcard"]
    path: Path
    first_day: date = date(2013, 9, 1)


def _kind_defaults_to(kind: str) -> BeforeValidator:
    """A section that sets something else and no kind has the usual one."""
    return BeforeValidator(lambda value: {"kind": kind, **value} if isinstance(value, Mapping) else value)


SourceSettings = Annotated[
    SimulatedSource | FilesSource | SqlSource | CreditcardSource,
    Field(discriminator="kind"),
    _kind_defaults_to("simulated"),
]


class LabelColumn(Section):
    """Labels sit in the daily batch and become known `label_delay_days` after the transaction."""

    kind: Literal["column"] = "column"


class LabelFiles(Section):
    """Labels come in a feed of their own: one CSV or Parquet file for each day on which they became known."""

    kind: Literal["files"]
    folder: Path
    pattern: str = Field(default="{date}.parquet", pattern=r"\{date\}")
    date_format: str = "%Y-%m-%d"
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    transaction_id: str = "transaction_id"
    label: str = "label"
    known_at: str = "known_at"
    known_at_timezone: TimezoneName | None = None
    label_kind: str | None = Field(default=None, description="the column that says chargeback or investigation")


LabelSettings = Annotated[LabelColumn | LabelFiles, Field(discriminator="kind"), _kind_defaults_to("column")]
