"""Models that cannot be bytes at all."""

import threading
from typing import Any

import pytest

from fraud_assets.postgres.errors import PostgresStorageError
from fraud_assets.postgres.storage.pickles import dumped


@pytest.mark.parametrize("model", [lambda x: x, {"lock": threading.Lock()}, [(number for number in range(3))]])
def test_what_cannot_be_pickled_is_said_in_a_sentence(model: Any) -> None:
    with pytest.raises(PostgresStorageError, match=rf"The model \({type(model).__name__}\) cannot be pickled: .*; use"):
        dumped(model)
