"""Sensitive values and what stands in for them. Nothing here keeps, logs or reports a value."""

import hmac
from dataclasses import dataclass, field

import pyarrow as pa

HEX_DIGITS = 32


@dataclass(frozen=True)
class Pseudonymizer:
    """HMAC-SHA256 of a value's text under a secret key, first 32 hexadecimal digits (RFC 2104).

    One value has one pseudonym in every column and file, so that keys still join; the number 42 and the text "42" are
    the same value.
    """

    key: bytes = field(repr=False)

    def pseudonym(self, value: str) -> str:
        return hmac.digest(self.key, value.encode(), "sha256").hex()[:HEX_DIGITS]

    def replace(self, values: pa.Array) -> pa.Array:
        """Strings to the strings that stand in for them; null stays null."""
        encoded = values.dictionary_encode()
        pseudonyms = [self.pseudonym(value) for value in encoded.dictionary.to_pylist()]
        return pa.array(pseudonyms, pa.string()).take(encoded.indices)
