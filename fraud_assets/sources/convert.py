"""From a source's cells to typed ones, column by column: the values, and which cells could not be read.

Every function takes an Arrow array of any type that the source may hold and returns `(values, unreadable)`: an array of
the target type, null where missing or unreadable, and a mask of the cells that are unreadable rather than missing.
A cell's result depends on that cell alone, so that the size of a chunk changes nothing.
"""

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from fraud_assets.sources.days import TIMESTAMP, aware, localize

Mask = npt.NDArray[np.bool_]

# Text that means "no value" where a number, a label or a time is expected. Elsewhere NA may be Namibia.
_MISSING_WORDS = pa.array(["", "na", "n/a", "nan", "null", "none", "\\n"])
_NUMBER = r"^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^-?(?i:inf|infinity)$"
_ISO_8601 = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?)? ?([Zz]|[+-]\d{2}(:?\d{2})?)?$"
_WITH_OFFSET = r"\d ?([Zz]|[+-]\d{2}:?\d{2})$|:\d{2}([.,]\d+)? ?[+-]\d{2}$"
_LABELS = {"0": 0, "0.0": 0, "false": 0, "1": 1, "1.0": 1, "true": 1}


class NaiveTimestampError(Exception):
    """A timestamp without a zone, and no setting says which zone is meant."""


def to_number(values: pa.Array) -> tuple[pa.Array, Mask]:
    """float64; infinite values stay, NaN is missing."""
    values = _decoded(values)
    if not pa.types.is_string(values.type):
        return _without_nan(values.cast(pa.float64(), safe=False)), _nowhere(values)
    try:
        numbers = values.cast(pa.float64())
    except pa.ArrowInvalid:
        return _diverted_numbers(values)
    # Only the diverting path decides which spellings of NaN count as missing.
    return _diverted_numbers(values) if pc.any(pc.is_nan(numbers)).as_py() else (numbers, _nowhere(values))


def _diverted_numbers(values: pa.Array) -> tuple[pa.Array, Mask]:
    text = _or_missing(values)
    text = pc.replace_substring_regex(text, r"^\+([\d.].*)$", r"\1")
    readable = pc.fill_null(pc.match_substring_regex(text, _NUMBER), False)
    numbers = _cast_each(pc.if_else(readable, text, None))
    return numbers, _mask(pc.and_(pc.is_valid(text), pc.is_null(numbers)))


def _cast_each(text: pa.Array) -> pa.Array:
    """Well-formed numbers as float64; those too large for one are null."""
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        return pa.array([None if value is None else _float_or_none(value) for value in text.to_pylist()], pa.float64())


def _float_or_none(value: str) -> float | None:
    try:
        number: float = pa.scalar(value).cast(pa.float64()).as_py()
    except pa.ArrowInvalid:
        return None
    return number


def to_label(values: pa.Array) -> tuple[pa.Array, Mask]:
    """int8 0 or 1, from 0/1, true/false and their text."""
    encoded = _decoded(values).dictionary_encode()
    words = [_word(value) for value in encoded.dictionary.to_pylist()]
    missing = set(_MISSING_WORDS.to_pylist())
    labels = pa.array([_LABELS.get(word) for word in words], pa.int8()).take(encoded.indices)
    wrong = pa.array([word not in _LABELS and word not in missing for word in words], pa.bool_()).take(encoded.indices)
    return labels, _mask(pc.fill_null(wrong, False))


def _word(value: Any) -> str:
    return str(value).strip().lower()


def to_text(values: pa.Array) -> tuple[pa.Array, Mask]:
    """string, as written; blank is missing. A NUL character, which PostgreSQL cannot store, is unreadable."""
    text = _decoded(values).cast(pa.string())
    text = pc.if_else(pc.equal(pc.utf8_trim_whitespace(text), ""), None, text)
    broken = pc.fill_null(pc.match_substring(text, "\x00"), False)
    return pc.if_else(broken, None, text), _mask(broken)


def to_whole_number(values: pa.Array) -> tuple[pa.Array, Mask]:
    """int64, from integers, and from floats, decimals and text that hold whole numbers."""
    values = _decoded(values)
    values = _or_missing(values) if pa.types.is_string(values.type) else values
    given = _mask(pc.is_valid(values))
    if pa.types.is_floating(values.type):
        given &= ~_mask(pc.fill_null(pc.is_nan(values), False))
    try:
        whole = (values if given.all() else pc.if_else(pa.array(given), values, None)).cast(pa.int64())
    except pa.ArrowInvalid:
        whole = pa.array([_int_or_none(value) for value in values.to_pylist()], pa.int64())
    return whole, given & _mask(pc.is_null(whole))


def _int_or_none(value: Any) -> int | None:
    try:
        number: int | None = pa.scalar(value).cast(pa.int64()).as_py()
    except pa.ArrowInvalid:
        return None
    return number


def to_timestamp(values: pa.Array, naive_zone: ZoneInfo | None) -> tuple[pa.Array, Mask]:
    """timestamp[us, UTC] from timestamps, dates (their midnight) and ISO 8601 text; finer fractions are cut off.

    Raises `NaiveTimestampError` when a value has no zone and `naive_zone` is None.
    """
    values = _decoded(values)
    if pa.types.is_string(values.type):
        return _text_to_timestamp(values, naive_zone)
    if pa.types.is_timestamp(values.type) and values.type.tz is not None:
        return values.cast(TIMESTAMP, safe=False), _nowhere(values)
    return _localized(values.cast(pa.timestamp("us"), safe=False), naive_zone), _nowhere(values)


def _text_to_timestamp(values: pa.Array, naive_zone: ZoneInfo | None) -> tuple[pa.Array, Mask]:
    text = _or_missing(values)
    readable = pc.fill_null(pc.match_substring_regex(text, _ISO_8601), False)
    zoned = pc.and_(readable, pc.fill_null(pc.match_substring_regex(text, _WITH_OFFSET), False))
    times = pa.nulls(len(text), TIMESTAMP)
    if pc.any(zoned).as_py():
        times = aware(_parsed(pc.if_else(zoned, text, None), utc=True))
    plain = pc.and_not(readable, zoned)
    if pc.any(plain).as_py():
        naive = _parsed(pc.if_else(plain, text, None), utc=False)
        times = pc.if_else(plain, _localized(pa.array(naive.to_numpy()), naive_zone), times)
    return times, _mask(pc.and_(pc.is_valid(text), pc.is_null(times)))


def _parsed(text: pa.Array, *, utc: bool) -> pd.DatetimeIndex:
    cells = text.to_numpy(zero_copy_only=False)
    return pd.DatetimeIndex(pd.to_datetime(cells, format="ISO8601", utc=utc, errors="coerce")).as_unit("us")


def _localized(naive: pa.Array, zone: ZoneInfo | None) -> pa.Array:
    if zone is not None:
        return localize(naive, zone)
    if naive.null_count < len(naive):
        raise NaiveTimestampError
    return naive.cast(TIMESTAMP)


def _or_missing(values: pa.Array) -> pa.Array:
    """Trimmed text, null where it is one of the words for a missing value."""
    text = pc.utf8_trim_whitespace(values)
    return pc.if_else(pc.is_in(pc.utf8_lower(text), value_set=_MISSING_WORDS), None, text)


def _without_nan(numbers: pa.Array) -> pa.Array:
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def _decoded(values: pa.Array) -> pa.Array:
    """Without the encodings of Arrow that mean nothing here: dictionaries, and other layouts of strings."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
        values = values.cast(pa.string())
    return values


def _nowhere(values: pa.Array) -> Mask:
    return np.zeros(len(values), dtype=bool)


def _mask(booleans: pa.Array) -> Mask:
    mask: Mask = np.asarray(booleans.to_numpy(zero_copy_only=False), dtype=bool)
    return mask


_NUMERIC: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_decimal,
    pa.types.is_null,
)


def is_numeric(type_: pa.DataType) -> bool:
    return any(holds(type_) for holds in _NUMERIC)


def is_textual(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_))
