"""Which Arrow type is which PostgreSQL type, on the way in and back, and which changes of type are safe.

Everything that crosses the wire does so in binary, so the Arrow type must be exactly the column's: `wire_type` says
what to cast to before a COPY.
"""

import re

import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn

_SIMPLE: tuple[tuple[str, pa.DataType], ...] = (
    ("boolean", pa.bool_()),
    ("smallint", pa.int16()),
    ("integer", pa.int32()),
    ("bigint", pa.int64()),
    ("real", pa.float32()),
    ("double precision", pa.float64()),
    ("text", pa.string()),
    ("character varying", pa.string()),
    ("bytea", pa.binary()),
    ("date", pa.date32()),
    ("timestamp without time zone", pa.timestamp("us")),
    ("timestamp with time zone", pa.timestamp("us", "UTC")),
    ("time without time zone", pa.time64("us")),
    ("interval", pa.duration("us")),
)
_WIRE = dict(_SIMPLE)

# From the type on the left, to the types that hold all of its values. bigint is not among those that fit into
# double precision: beyond 2**53 it would lose digits.
_HOLDS: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "real", "double precision"),
    "integer": ("bigint", "double precision"),
    "real": ("double precision",),
    "character varying": ("text",),
}


def postgres_type(name: str, arrow_type: pa.DataType) -> str:
    """The column type for an Arrow type, as `format_type` spells it. Raises `UnstorableColumn` naming the column."""
    if pat.is_dictionary(arrow_type):
        return postgres_type(name, arrow_type.value_type)
    if pat.is_decimal(arrow_type):
        return f"numeric({arrow_type.precision},{arrow_type.scale})"
    if pat.is_uint64(arrow_type):
        return "numeric(20,0)"
    if pat.is_list(arrow_type) or pat.is_large_list(arrow_type):
        return postgres_type(name, arrow_type.value_type) + "[]"
    if pat.is_timestamp(arrow_type):
        return "timestamp with time zone" if arrow_type.tz else "timestamp without time zone"
    for matches, type_name in _FAMILIES:
        if matches(arrow_type):
            return type_name
    raise UnstorableColumn(
        f"The column {name!r} has the type {arrow_type}, which has no PostgreSQL column type here; "
        "convert it, or leave it out."
    )


_FAMILIES = (
    (pat.is_boolean, "boolean"),
    (lambda t: pat.is_int8(t) or pat.is_int16(t) or pat.is_uint8(t), "smallint"),
    (lambda t: pat.is_int32(t) or pat.is_uint16(t), "integer"),
    (lambda t: pat.is_int64(t) or pat.is_uint32(t), "bigint"),
    (lambda t: pat.is_float16(t) or pat.is_float32(t), "real"),
    (pat.is_float64, "double precision"),
    (lambda t: pat.is_string(t) or pat.is_large_string(t) or pat.is_string_view(t), "text"),
    (lambda t: pat.is_binary(t) or pat.is_large_binary(t) or pat.is_fixed_size_binary(t), "bytea"),
    (pat.is_date, "date"),
    (pat.is_time, "time without time zone"),
    (pat.is_duration, "interval"),
)


def wire_type(column_type: str) -> pa.DataType | None:
    """The Arrow type whose binary form is the column's; None for a type that binary COPY is not used for here."""
    if column_type.endswith("[]"):
        inner = wire_type(column_type.removesuffix("[]"))
        return None if inner is None else pa.list_(inner)
    if match := re.fullmatch(r"numeric\((\d+),(\d+)\)", column_type):
        precision, scale = int(match[1]), int(match[2])
        return pa.decimal128(precision, scale) if precision <= 38 else None
    if column_type.startswith("character varying"):
        return pa.string()
    return _WIRE.get(column_type)


def holds(column_type: str, other: str) -> bool:
    """Whether a column of `column_type` can hold every value of the type `other`."""
    return column_type == other or column_type in _HOLDS.get(other, ())
