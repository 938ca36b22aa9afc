"""Checks of a file's or table's columns before any row is read: all there, each once, of a type that can be right."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pyarrow as pa

from fraud_assets.sources.convert import is_numeric, is_textual
from fraud_assets.sources.errors import SourceError
from fraud_assets.sources.roles import Column, Kind

_USUAL_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_SHOWN = 40


def check_names(found: Sequence[str], needed: Iterable[str], origin: str, separator: str | None = None) -> None:
    """Raises `SourceError` for a repeated or missing column; with `separator`, for one that looks wrong."""
    twice = sorted(name for name, times in Counter(found).items() if times > 1)
    if twice:
        raise SourceError(f"{origin} has more than one column {twice[0]!r}; column names must differ.")
    missing = [name for name in needed if name not in found]
    if missing:
        raise SourceError(f"{origin} has no column {missing[0]!r}; {_shown(found)}.{_hint(found, separator)}")


def _shown(found: Sequence[str]) -> str:
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"its columns are {', '.join(repr(name) for name in found[:_SHOWN])}{more}"


def _hint(found: Sequence[str], separator: str | None) -> str:
    if separator is None or len(found) != 1:
        return ""
    other = next((word for usual, word in _USUAL_SEPARATORS.items() if usual != separator and usual in found[0]), None)
    return f" The separator looks wrong: it is set to {separator!r}, and the header contains {other}." if other else ""


def check_types(schema: pa.Schema, columns: Iterable[Column], origin: str) -> None:
    """Raises `SourceError` for a column whose type can hold no value of its kind."""
    for column in columns:
        type_ = schema.field(column.source).type
        type_ = type_.value_type if pa.types.is_dictionary(type_) else type_
        if not _may_hold(type_, column):
            expected = _EXPECTED[column.kind]
            raise SourceError(f"{origin}: the column {column.source!r} holds {type_}; expected {expected}.")


def identifier_types(schema: pa.Schema, columns: Iterable[Column]) -> Mapping[str, pa.DataType]:
    """int64 for identifiers in a numeric column, string for the others."""
    return {
        column.name: pa.int64() if is_numeric(type_) and not pa.types.is_null(type_) else pa.string()
        for column in columns
        if column.kind is Kind.IDENTIFIER
        for type_ in [schema.field(column.source).type]
    }


_EXPECTED = {
    Kind.NUMBER: "a number",
    Kind.SECONDS: "a number",
    Kind.TIMESTAMP: "a timestamp, or its ISO 8601 text",
    Kind.LABEL: "0 or 1",
    Kind.IDENTIFIER: "integers or text",
    Kind.TEXT: "text",
}


def _may_hold(type_: pa.DataType, column: Column) -> bool:
    boolean, temporal = pa.types.is_boolean(type_), pa.types.is_timestamp(type_) or pa.types.is_date(type_)
    match column.kind:
        case Kind.NUMBER | Kind.SECONDS:
            return bool(is_numeric(type_) or (boolean and column.name != "amount"))
        case Kind.TIMESTAMP:
            return bool(temporal or is_textual(type_) or pa.types.is_null(type_))
        case Kind.LABEL:
            return bool(is_numeric(type_) or boolean or is_textual(type_))
        case Kind.IDENTIFIER:
            return bool(is_numeric(type_) or is_textual(type_))
        case Kind.TEXT:
            return bool(is_numeric(type_) or boolean or temporal or is_textual(type_))
