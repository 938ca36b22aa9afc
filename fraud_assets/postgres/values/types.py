"""Which Arrow type is which PostgreSQL type, on the way in and back, and which changes of type are safe.

Everything that crosses the wire does so in binary, so the Arrow type must be exactly the column's: `wire_type` says
what to cast to before a COPY, and what comes back.
"""

import math
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

# Columns whose values are texts here, which `encodings` turns into what PostgreSQL has.
DECLARED_TEXTS = ("json", "jsonb", "uuid", "inet", "cidr")
_WIRE |= dict.fromkeys(DECLARED_TEXTS, pa.string())

# What there are arrays of. PostgreSQL's have no empty rows within rows: lists of lists are JSON.
_LISTABLE = frozenset(_WIRE) - {"character varying", "interval", *DECLARED_TEXTS}

MAX_DECIMAL_DIGITS = 38

# From the type on the left, to the types that hold all of its values. bigint is not among those that fit into
# double precision: beyond 2**53 it would lose digits.
_HOLDS: dict[str, tuple[str, ...]] = {
    "smallint": ("integer", "bigint", "real", "double precision"),
    "integer": ("bigint", "double precision"),
    "real": ("double precision",),
}

_VARCHAR = "character varying"

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
    (lambda t: isinstance(t, pa.UuidType), "uuid"),
    (lambda t: isinstance(t, pa.JsonType), "json"),
)

_JSON_VALUES = (
    pa.null(),
    pa.bool_(),
    *(pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.float32(),
    pa.float64(),
    pa.string(),
    pa.large_string(),
    pa.string_view(),
)


def postgres_type(name: str, arrow_type: pa.DataType) -> str:
    """The column type for an Arrow type, as `format_type` spells it. Raises `UnstorableColumn` naming the column."""
    if (type_name := _column_type(arrow_type)) is None:
        raise UnstorableColumn(
            f"The column {name!r} has the type {arrow_type}, which has no PostgreSQL column type here; "
            "convert it, or leave it out."
        )
    return type_name


def _column_type(arrow_type: pa.DataType) -> str | None:
    if pat.is_decimal(arrow_type):
        return _numeric(arrow_type.precision, arrow_type.scale)
    if pat.is_list(arrow_type) or pat.is_large_list(arrow_type) or pat.is_fixed_size_list(arrow_type):
        inner = _column_type(arrow_type.value_type)
        if inner is not None and _is_listable(inner):
            return inner + "[]"
    if pat.is_nested(arrow_type):
        return "jsonb" if _is_json(arrow_type) else None
    return next((type_name for matches, type_name in _FAMILIES if matches(arrow_type)), None)


def _numeric(precision: int, scale: int) -> str | None:
    """The column for decimals: zeros are added where they have fewer places than none, or more than digits."""
    places = max(scale, 0)
    digits = max(precision - scale, 0) + places
    return f"numeric({digits},{places})" if digits <= MAX_DECIMAL_DIGITS else None


def _is_listable(column_type: str) -> bool:
    return column_type in _LISTABLE or _digits(column_type) is not None


def _is_json(arrow_type: pa.DataType) -> bool:
    """Whether JSON has all that values of the type have: no times, bytes or decimals anywhere in them."""
    if pat.is_struct(arrow_type):
        return all(_is_json(field.type) for field in arrow_type)
    if pat.is_list(arrow_type) or pat.is_large_list(arrow_type) or pat.is_fixed_size_list(arrow_type):
        return _is_json(arrow_type.value_type)
    return arrow_type in _JSON_VALUES


def wire_type(column_type: str) -> pa.DataType | None:
    """The Arrow type to cast to before a column is written, and that of what comes back.

    None for a type that binary COPY is not used for here.
    """
    if column_type.endswith("[]"):
        inner = column_type.removesuffix("[]")
        return pa.list_(wire_type(inner)) if _is_listable(inner) else None
    if digits := _digits(column_type):
        precision, scale = digits
        return pa.decimal128(precision, scale) if precision <= MAX_DECIMAL_DIGITS else None
    if column_type.startswith((_VARCHAR, "character(")):
        return pa.string()
    return _WIRE.get(column_type)


def _digits(column_type: str) -> tuple[int, int] | None:
    """Precision and scale of a numeric column that has them."""
    match = re.fullmatch(r"numeric\((\d+),(\d+)\)", column_type)
    return None if match is None else (int(match[1]), int(match[2]))


def common_type(column_type: str, other: str) -> str | None:
    """The narrowest type that holds every value of both, or None: a column's own where the other fits into it."""
    if column_type.endswith("[]") and other.endswith("[]"):
        inner = common_type(column_type.removesuffix("[]"), other.removesuffix("[]"))
        return None if inner is None else inner + "[]"
    if (mine := _digits(column_type)) and (theirs := _digits(other)):
        scale = max(mine[1], theirs[1])
        return _numeric(max(mine[0] - mine[1], theirs[0] - theirs[1]) + scale, scale)
    if column_type.startswith(_VARCHAR) or other.startswith(_VARCHAR):
        return _common_text(column_type, other)
    holding = (other, *_HOLDS.get(other, ()))
    return next((wide for wide in (column_type, *_HOLDS.get(column_type, ())) if wide in holding), None)


def is_rewritten(column_type: str, wider: str) -> bool:
    """Whether PostgreSQL writes a table anew for it: not for longer texts, nor for more digits before the point."""
    before, after = _digits(column_type), _digits(wider)
    if before and after:
        return before[1] != after[1]
    return not column_type.startswith(_VARCHAR)


def _common_text(column_type: str, other: str) -> str | None:
    lengths = [_length(column_type), _length(other)]
    if None in lengths:
        return None
    return column_type if lengths[0] == max(filter(None, lengths)) else other


def _length(column_type: str) -> float | None:
    """How many characters a column of texts holds; None for other columns."""
    if column_type in {"text", _VARCHAR}:
        return math.inf
    match = re.fullmatch(rf"{_VARCHAR}\((\d+)\)", column_type)
    return None if match is None else int(match[1])
