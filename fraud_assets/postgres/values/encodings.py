"""Values in the binary forms that the encoder does not know: JSON, UUIDs, addresses, lists of zoned timestamps.

The encoder writes an Arrow text or binary value as it is, so a column of such a type is sent as the bytes that
PostgreSQL wants, made here, and read back as text. Which Arrow type becomes which column lives in `types`.
"""

import binascii
import ipaddress
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from fraud_assets.postgres.values.types import wire_type

_COLUMN_TYPE = b"postgres"
_UUID_BYTES = 16
_TIMESTAMPTZ_OID = 1184
_EPOCH_MICROSECONDS = 946_684_800_000_000  # PostgreSQL counts from the year 2000
_JSONB_VERSION = "\x01"
# AF_INET and AF_INET6 as PostgreSQL numbers them, whatever the server's system does.
_INET_FAMILIES = {4: 2, 6: 3}


def wire_field(name: str, column_type: str) -> pa.Field | None:
    """The field that the encoder is given for a column; None for a type that cannot be written in binary here."""
    if column_type in _ENCODERS:
        given, _ = _ENCODERS[column_type]
        return pa.field(name, given, metadata={_COLUMN_TYPE: column_type})
    wire = wire_type(column_type)
    return None if wire is None else pa.field(name, wire)


def encoded_as(field: pa.Field) -> str | None:
    """The column type whose binary form the values of a field of `wire_field` have to be given; None for the rest."""
    return field.metadata[_COLUMN_TYPE].decode() if field.metadata else None


def encoded(array: pa.Array, column_type: str) -> pa.Array:
    """Values in a column's own binary form, as the encoder takes them.

    Raises `ValueError`, `TypeError` or `NotImplementedError` for values that are none of that type.
    """
    _, encode = _ENCODERS[column_type]
    return encode(array)


def _json(array: pa.Array) -> pa.Array:
    if not pat.is_nested(array.type):
        return array.cast(pa.string())
    return pa.array([None if value is None else _dumped(value) for value in array.to_pylist()], pa.string())


def _dumped(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _jsonb(array: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(_JSONB_VERSION, _json(array), "")


def _uuid(array: pa.Array) -> pa.Array:
    if pat.is_fixed_size_binary(array.type) or pat.is_binary(array.type):
        return array.cast(pa.binary(_UUID_BYTES))
    # Their lengths make sure that the digits of no two values run into one another.
    digits = pc.replace_substring(array.cast(pa.string()), "-", "").fill_null("0" * 2 * _UUID_BYTES)
    if len(digits) and pc.min_max(pc.binary_length(digits)).as_py() != {"min": 32, "max": 32}:
        raise ValueError("a UUID has 32 hexadecimal digits")
    try:
        content = binascii.unhexlify(_text_bytes(digits).data)
    except ValueError as error:
        raise ValueError("a UUID has 32 hexadecimal digits") from error
    values = pa.Array.from_buffers(pa.binary(_UUID_BYTES), len(array), [None, pa.py_buffer(content)])
    return pc.if_else(array.is_valid(), values, pa.scalar(None, values.type))


def _inet(array: pa.Array) -> pa.Array:
    return _each(array.cast(pa.string()), _inet_bytes)


def _inet_bytes(text: str) -> bytes:
    address = ipaddress.ip_interface(text)
    if "%" in text:
        raise ValueError(f"{text!r} has a scope")
    head = _INET_FAMILIES[address.version], address.network.prefixlen, False, len(address.packed)
    return bytes(head) + address.packed


def _zoned_timestamps(array: pa.Array) -> pa.Array:
    return _each(array.cast(pa.list_(pa.timestamp("us", "UTC"))).cast(pa.list_(pa.int64())), _zoned_timestamps_bytes)


def _zoned_timestamps_bytes(moments: list[int | None]) -> bytes:
    if not moments:
        return struct.pack("!iii", 0, 0, _TIMESTAMPTZ_OID)
    parts = [struct.pack("!iiiii", 1, None in moments, _TIMESTAMPTZ_OID, len(moments), 1)]
    parts += (struct.pack("!i", -1) if m is None else struct.pack("!iq", 8, m - _EPOCH_MICROSECONDS) for m in moments)
    return b"".join(parts)


def _each(array: pa.Array, encode: Callable[[Any], bytes]) -> pa.Array:
    return pa.array([None if value is None else encode(value) for value in array.to_pylist()], pa.binary())


_ENCODERS: dict[str, tuple[pa.DataType, Callable[[pa.Array], pa.Array]]] = {
    "json": (pa.string(), _json),
    "jsonb": (pa.string(), _jsonb),
    "uuid": (pa.binary(_UUID_BYTES), _uuid),
    "inet": (pa.binary(), _inet),
    "cidr": (pa.binary(), _inet),
    "timestamp with time zone[]": (pa.binary(), _zoned_timestamps),
}


def decoded(array: pa.Array, arrow_type: pa.DataType) -> pa.Array:
    """What the server sends, in the type that was handed in. Raises `ValueError` for a value that is none of it."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.type == arrow_type:
        return array
    if pat.is_duration(arrow_type) and pat.is_integer(array.type):
        return array.cast(pa.duration("us")).cast(arrow_type)  # as which the reader's query has asked for it
    if isinstance(arrow_type, pa.UuidType):
        return pa.ExtensionArray.from_storage(arrow_type, _uuid(array))
    if isinstance(arrow_type, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(arrow_type, array.cast(arrow_type.storage_type))
    if pat.is_nested(arrow_type) and pat.is_string(array.type):
        values = (None if text is None else json.loads(text) for text in array.to_pylist())
        return pa.array([_shaped(value, arrow_type) for value in values], arrow_type)
    return array.cast(arrow_type)


def _shaped(value: Any, arrow_type: pa.DataType) -> Any:
    """A value from JSON with the floats that it had: JSON may write a large one without a point."""
    if value is None:
        return None
    if pat.is_floating(arrow_type):
        return float(value)
    if pat.is_struct(arrow_type):
        return {field.name: _shaped(value.get(field.name), field.type) for field in arrow_type}
    if pat.is_nested(arrow_type):
        return [_shaped(each, arrow_type.value_type) for each in value]
    return value


def has_nul(texts: pa.Array) -> bool:
    """Whether any text has a NUL character. One look at all bytes at once; what lies under a NULL is no text."""
    found = _text_bytes(texts)
    return bool(found.size and found.min() == 0 and pc.any(pc.match_substring(texts, "\0")).as_py())


def _text_bytes(texts: pa.Array) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """The bytes of all texts, one after the other, without a copy."""
    _, offsets, content = texts.buffers()
    if content is None or not len(texts):
        return np.empty(0, np.uint8)
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return np.frombuffer(content, np.uint8)[ends[0] : ends[-1]]
