"""Models as bytes: joblib's pickles, written so that equal models are more often equal bytes.

Nothing here knows a database, a signature or a key, and nothing is unpickled here.
"""

import copy
import io
import pickle
from typing import Any

import numpy as np
from joblib.numpy_pickle import NumpyPickler

from fraud_assets.postgres.errors import PostgresStorageError


def dumped(model: object) -> bytes:
    """joblib's bytes of an object: `joblib.load` reads them. An object's parts that are shared stay shared.

    Raises `PostgresStorageError` for what cannot be pickled.

    Two models of equal values are equal bytes where the same of their parts are one object in memory. (For strings
    and bytes it makes no difference; whether a model was fitted here or came back from a worker can make one.)
    """
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, protocol=pickle.DEFAULT_PROTOCOL).dump(model)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise PostgresStorageError(
            f"The model ({type(model).__name__}) cannot be pickled: {error}; use functions and classes that a module "
            "defines by name, and leave out connections, locks and open files."
        ) from error
    return buffer.getvalue()


class _Pickler(NumpyPickler):  # type: ignore[misc]
    """joblib's own, but for what is no part of a value.

    Which equal strings are one object depends on the modules that have been imported, and the padding between the
    fields of records, as in a tree's nodes, is stale memory.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._constants: dict[str | bytes, str | bytes] = {}

    def save(self, obj: object) -> None:
        if type(obj) is str or type(obj) is bytes:
            obj = self._constants.setdefault(obj, obj)
        elif type(obj) is np.ndarray and obj.dtype.names is not None:
            clean = np.zeros(obj.shape, obj.dtype)
            for name in obj.dtype.names:
                clean[name] = obj[name]
            obj = clean
        super().save(obj)


def without(model: object, volatile: frozenset[str]) -> tuple[object, dict[str, Any]]:
    """A shallow copy that lacks these attributes, and those of them that there are.

    Raises `PostgresStorageError` for an object that has no attributes to leave out.
    """
    if not volatile:
        return model, {}
    if not hasattr(model, "__dict__"):
        raise PostgresStorageError(
            f"The metadata names volatile attributes, and {type(model).__name__} has no attributes to leave out; "
            "return an object that has, or name none."
        )
    bare = copy.copy(model)
    return bare, {name: vars(bare).pop(name) for name in sorted(volatile) if name in vars(bare)}
