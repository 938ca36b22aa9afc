"""Which Arrow type is which PostgreSQL type, on the way in and back, and which changes of type are safe.

Everything that crosses the wire does so in binary, so the Arrow type must be exactly the column's: `wire_type` says
what to cast to before a COPY, and what comes back.
"""

import re

import pyarrow as pa
import pyarrow.types as pat

from fraud_assets.postgres.errors import UnstorableColumn

_WIRE: dict[str, pa.DataType] = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "character varying": pa.string(),
    "bytea": pa.binary(),
    "date": pa.date32(),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "time without time zone": pa.time64("us"),
    "interval": pa.duration("us"),
}

# The binary encoder writes lists of these; it writes those of zoned timestamps with the type of naive ones.
_LISTABLE = frozenset({"boolean", "smallint", "integer", "bigint", "real", "double precision", "text", "bytea", "date"})

MAX_DECIMAL_DIGITS = 38

# From the type on the left, to the types that hold all of its values. bigint is not among those that fit into
# double precision: beyond 2**53 it would lose digits.
_HOLDS: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "real", "double precision"),
    "integer": ("bigint", "double precision"),
    "real": ("double precision",),
}

_FAMILIES = (
    (pat.is_boolean, "boolean"),
    # A category is a text, whatever its categories are: those of a day without any would have no type.
    (pat.is_dictionary, "text"),
    (lambda t: pat.is_int8(t) or pat.is_int16(t) or pat.is_uint8(t), "smallint"),
    (lambda t: pat.is_int32(t) or pat.is_uint16(t), "integer"),
    (lambda t: pat.is_int64(t) or pat.is_uint32(t), "bigint"),
    (pat.is_uint64, "numeric(20,0)"),
    (lambda t: pat.is_float16(t) or pat.is_float32(t), "real"),
    (pat.is_float64, "double precision"),
    (lambda t: pat.is_string(t) or pat.is_large_string(t) or pat.is_string_view(t), "text"),
    (
        lambda t: pat.is_binary(t) or pat.is_large_binary(t) or pat.is_fixed_size_binary(t) or pat.is_binary_view(t),
        "bytea",
    ),
    (pat.is_date, "date"),
    (lambda t: pat.is_timestamp(t) and t.tz is None, "timestamp without time zone"),
    (pat.is_timestamp, "timestamp with time zone"),
    (pat.is_time, "time without time zone"),
    (pat.is_duration, "interval"),
)


def postgres_type(name: str, arrow_type: pa.DataType) -> str:
    """The column type for an Arrow type, as `format_type` spells it. Raises `UnstorableColumn` naming the column."""
    if pat.is_decimal(arrow_type) and 0 <= arrow_type.scale <= arrow_type.precision <= MAX_DECIMAL_DIGITS:
        return f"numeric({arrow_type.precision},{arrow_type.scale})"
    if pat.is_list(arrow_type) or pat.is_large_list(arrow_type):
        inner = postgres_type(name, arrow_type.value_type)
        if inner in _LISTABLE:
            return inner + "[]"
    for matches, type_name in _FAMILIES:
        if matches(arrow_type):
            return type_name
    raise UnstorableColumn(
        f"The column {name!r} has the type {arrow_type}, which has no PostgreSQL column type here; "
        "convert it, or leave it out."
    )


def wire_type(column_type: str) -> pa.DataType | None:
    """The Arrow type whose binary form is the column's; None for a type that binary COPY is not used for here."""
    if column_type.endswith("[]"):
        inner = column_type.removesuffix("[]")
        return pa.list_(_WIRE[inner]) if inner in _LISTABLE else None
    if digits := _digits(column_type):
        precision, scale = digits
        return pa.decimal128(precision, scale) if precision <= MAX_DECIMAL_DIGITS else None
    if column_type.startswith("character varying"):
        return pa.string()
    return _WIRE.get(column_type)


def _digits(column_type: str) -> tuple[int, int] | None:
    """Precision and scale of a numeric column that has them."""
    match = re.fullmatch(r"numeric\((\d+),(\d+)\)", column_type)
    return None if match is None else (int(match[1]), int(match[2]))


def common_type(column_type: str, other: str) -> str | None:
    """The type that holds every value of both, or None: a column's own where the other fits into it."""
    if column_type == other or column_type in _HOLDS.get(other, ()):
        return column_type
    if other in _HOLDS.get(column_type, ()) or (column_type.startswith("character varying") and other == "text"):
        return other
    mine, theirs = _digits(column_type), _digits(other)
    if mine is None or theirs is None:
        return None
    scale = max(mine[1], theirs[1])
    precision = max(mine[0] - mine[1], theirs[0] - theirs[1]) + scale
    return f"numeric({precision},{scale})" if precision <= MAX_DECIMAL_DIGITS else None
