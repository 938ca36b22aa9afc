"""Fitted objects whose stored bytes depend on their values alone, not on the process that fitted them.

What lives here: copying an object into that form, and telling by a digest whether two are equal. What does not:
storing it.
"""

import hashlib
import io
import pickle
import sys
from types import BuiltinFunctionType, FunctionType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def canonical(fitted: T) -> T:
    """A copy that shares no object but its strings, and every equal string.

    Pickle writes what it meets a second time as a reference, so bytes depend on which objects are one and the same,
    and that differs between a model fitted here and one from a worker. A pickle without references shares nothing;
    interned strings are shared always. Between the fields of records, as of a tree's nodes, are zeros.
    """
    buffer = io.BytesIO()
    pickler = _Pickler(buffer, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.fast = True
    pickler.dump(fitted)
    buffer.seek(0)
    copy: T = _Unpickler(buffer).load()
    _intern_attribute_names(copy)
    return copy


def digest(fitted: object) -> str:
    """SHA-256 (hex) of an object's values: equal for equal ones, also where one was stored and loaded meanwhile."""
    sink = _Digest()
    pickler = _ValuePickler(sink, protocol=pickle.HIGHEST_PROTOCOL)
    pickler.fast = True
    pickler.dump(fitted)
    return sink.sha256.hexdigest()


class _Digest(io.RawIOBase):
    """A file of which nothing is kept but its digest."""

    def __init__(self) -> None:
        self.sha256 = hashlib.sha256()

    def write(self, content: Any) -> int:
        self.sha256.update(content)
        return memoryview(content).nbytes


class _ValuePickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Records without the padding between fields: that of a tree's nodes is stale memory once it is loaded."""
        if type(obj) is not np.ndarray or obj.dtype.names is None:
            return NotImplemented
        return bytes, (b"".join(obj[name].tobytes() for name in obj.dtype.names),)


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        """Records with zeros between their fields: a tree's nodes bring whatever was in memory there."""
        if type(obj) is not np.ndarray or obj.dtype.names is None:
            return NotImplemented
        clean = np.zeros(obj.shape, obj.dtype)
        for name in obj.dtype.names:
            clean[name] = obj[name]
        return clean.__reduce_ex__(pickle.HIGHEST_PROTOCOL)

    def persistent_id(self, obj: Any) -> str | None:
        return obj if type(obj) is str else None


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> str:
        return sys.intern(pid)


def _intern_attribute_names(value: Any) -> None:
    """Give every instance inside a tree of objects a dict of its own.

    The instances of a class share the strings of their attribute names, and scikit-learn's first instance in a process
    may have come out of a pickle with strings that are not interned: all later ones then have those.
    """
    if isinstance(value, dict):
        parts = list(value.values())
    elif isinstance(value, list | tuple | set | frozenset):
        parts = list(value)
    elif isinstance(value, type | FunctionType | BuiltinFunctionType) or not hasattr(value, "__dict__"):
        parts = []
    else:
        own = {sys.intern(name): part for name, part in vars(value).items()}
        parts = list(own.values())
        try:
            object.__setattr__(value, "__dict__", own)  # frozen dataclasses as well
        except AttributeError:
            parts = []  # a function of a library in C, such as a ufunc: its pickle is its name
    for part in parts:
        _intern_attribute_names(part)
