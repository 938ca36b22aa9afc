"""From the user's column roles to the canonical columns of `raw_batch`. Knows names and kinds, reads nothing."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto

from fraud_assets.settings import ColumnRoles
from fraud_assets.sources.errors import SourceError

SOURCE_ROW_NAME = "source_row"
"""What `raw_batch` calls a row's 1-based place at its source: among the rows of its file, or of the day's query."""


class Kind(Enum):
    """How a column's values are read."""

    IDENTIFIER = auto()
    TIMESTAMP = auto()
    SECONDS = auto()  # of wall-clock time since a first midnight
    NUMBER = auto()
    LABEL = auto()
    TEXT = auto()


@dataclass(frozen=True)
class Column:
    """One canonical column: its name in `raw_batch`, its name at the source, and how it is read."""

    name: str
    source: str
    kind: Kind
    required: bool = False
    sensitive: bool = False


_SENSIBLE_KINDS = {Kind.IDENTIFIER, Kind.TEXT}


def canonical_columns(roles: ColumnRoles, timestamp_kind: Kind = Kind.TIMESTAMP) -> tuple[Column, ...]:
    """The columns of `raw_batch` in order; `transaction_id` is left out when the source has none of its own.

    Raises `SourceError` when two of them would have the same name, or a sensitive one is read as a number or a time.
    """
    named = [
        ("transaction_id", roles.transaction_id, Kind.IDENTIFIER, True),
        ("transaction_time", roles.timestamp, timestamp_kind, True),
        ("amount", roles.amount, Kind.NUMBER, True),
        ("currency", roles.currency, Kind.TEXT, False),
        ("label", roles.label, Kind.LABEL, False),
        ("customer_id", roles.customer, Kind.IDENTIFIER, False),
        ("terminal_id", roles.terminal, Kind.IDENTIFIER, False),
        ("outcome", roles.outcome, Kind.TEXT, False),
        *((name, name, Kind.NUMBER, False) for name in roles.numeric),
        *((name, name, Kind.TEXT, False) for name in roles.categorical),
        *((name, name, Kind.TEXT, False) for name in _own(roles)),
    ]
    columns = tuple(
        Column(name, source, kind, required, source in roles.sensitive)
        for name, source, kind, required in named
        if source is not None
    )
    made = [SOURCE_ROW_NAME] if roles.transaction_id else ["transaction_id", SOURCE_ROW_NAME]
    _check_names([*(column.name for column in columns), *made])
    _check_sensitive(columns, roles)
    return columns


def needed_columns(roles: ColumnRoles, columns: Iterable[Column]) -> list[str]:
    """The names that the source must have, without repetition.

    A sensitive column must be there even if nothing reads it: a misspelt name would leave another one in the clear.
    """
    return list(dict.fromkeys([*(column.source for column in columns), *roles.sensitive]))


def _own(roles: ColumnRoles) -> list[str]:
    """Segments that are not yet there under their own name."""
    there = {*roles.numeric, *roles.categorical}
    canonical = {"currency": roles.currency, "outcome": roles.outcome}
    return [name for name in dict.fromkeys(roles.segments) if name not in there and canonical.get(name) != name]


def _check_names(names: list[str]) -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise SourceError(
            f"Two columns would be called {twice[0]!r} in raw_batch; rename the source's own {twice[0]!r}, or take it "
            "out of source.columns.numeric, categorical and segments."
        )


def _check_sensitive(columns: Iterable[Column], roles: ColumnRoles) -> None:
    for column in columns:
        if column.sensitive and (column.kind not in _SENSIBLE_KINDS or column.source == roles.outcome):
            raise SourceError(
                f"The column {column.source!r} is read as {column.name} and cannot be pseudonymised; take it out of "
                "source.columns.sensitive."
            )
