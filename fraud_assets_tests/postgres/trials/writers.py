"""What is killed: a Dagster run in a process of its own that stores one number, and says how far it has come.

Every row of a stored partition holds the same number, and its number of rows tells it too, so that a mixture of two
versions cannot be taken for either of them.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator
from enum import IntEnum, StrEnum
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

import dagster as dg
import numpy as np
import pyarrow as pa

from fraud_assets.postgres import PostgresModelIOManager, PostgresResource, PostgresTableIOManager
from fraud_assets_tests.postgres.material import SCHEMA

KEYS = dg.StaticPartitionsDefinition(["hit", "spared"])
BATCHES = 8
BATCH_SECONDS = 0.004
"""Rows take their time to be made, or there would be hardly a moment between the first and the last."""

PRIMARY_KEY = ["n"]
INDEXES = [["label"]]
SIGNING_KEY = "a trial's key"


Value = TypeVar("Value")


class Kind(StrEnum):
    """What is stored, by the name of its asset: a table in either layout, or a model."""

    FRAMES = "frames"
    ROWS = "rows_of_all"
    MODEL = "model"


SMALLEST = {Kind.FRAMES: 40_000, Kind.ROWS: 1_200, Kind.MODEL: 250_000}


class Phase(IntEnum):
    """How far a write has come. Between the last two there are indexes, the swap, the ledger and the archive."""

    BEGUN = 0
    FILLING = 1
    FILLED = 2
    DONE = 3


class Numbers:
    """A model of some megabytes that says when it is pickled."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.values = np.full(SMALLEST[Kind.MODEL] + number, number)

    def __getstate__(self) -> dict[str, Any]:
        _say(Phase.FILLING)
        return vars(self)


def _hush(phase: Phase) -> None:
    """Nobody is interested in how far a write in the test's own process has come."""


_say: Callable[[Phase], None] = _hush


def rows(kind: Kind, number: int) -> int:
    """How many rows, or elements of a model's array, a number is stored in."""
    return SMALLEST[kind] + number


def frame(kind: Kind, number: int) -> pa.RecordBatchReader:
    """The rows of a number, in batches that are made when they are asked for."""
    table = pa.table({"n": range(rows(kind, number)), "number": [number] * rows(kind, number)})
    table = table.append_column("label", pa.array([f"{number}-{n % 97}" for n in range(len(table))]))

    def batches() -> Iterator[pa.RecordBatch]:
        _say(Phase.FILLING)
        for batch in table.to_batches(max_chunksize=len(table) // BATCHES):
            time.sleep(BATCH_SECONDS)
            yield batch
        _say(Phase.FILLED)

    return pa.RecordBatchReader.from_batches(table.schema, batches())


def _asset(kind: Kind, number: int) -> dg.AssetsDefinition:
    if kind is Kind.MODEL:

        @dg.asset(name=kind.value, partitions_def=KEYS, io_manager_key="models")
        def model() -> Numbers:
            return _begun(Numbers(number))

        return model
    layout = "rows" if kind is Kind.ROWS else "partitions"
    metadata = {"schema": SCHEMA, "layout": layout, "primary_key": PRIMARY_KEY, "indexes": INDEXES}

    @dg.asset(name=kind.value, partitions_def=KEYS, io_manager_key="tables", metadata=metadata)
    def table() -> pa.RecordBatchReader:
        return _begun(frame(kind, number))

    return table


def _begun(value: Value) -> Value:
    _say(Phase.BEGUN)
    return value


def store(url: str, kind: Kind, key: str, number: int) -> bool:
    """Materialize a partition. Returns whether the run succeeded."""
    postgres = PostgresResource(url=url)
    managers = {
        "tables": PostgresTableIOManager(postgres=postgres),
        "models": PostgresModelIOManager(postgres=postgres, signing_key=SIGNING_KEY, pinned_libraries=[]),
    }
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [_asset(kind, number)], partition_key=key, resources=managers, instance=instance, raise_on_error=False
        ).success


def _run(url: str, kind: Kind, number: int, says: Connection) -> None:
    global _say
    _say = says.send
    if not store(url, kind, "hit", number):
        sys.exit(1)
    _say(Phase.DONE)


class Writer:
    """A process that stores a number in the partition `hit`, and what it has said so far."""

    def __init__(self, url: str, kind: Kind, number: int) -> None:
        # Processes fork from one that has imported everything and has no thread or connection of ours.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([f"{__package__}.warm"])
        self._hears, says = context.Pipe(duplex=False)
        self._process: BaseProcess = context.Process(target=_run, args=(url, kind, number, says))
        self._process.start()
        says.close()
        self.phase: Phase | None = None

    def wait_for(self, phase: Phase, seconds: float = 30) -> bool:
        """Wait until it has come that far. Returns False where it has ended before, or has not come so far in time."""
        while self.phase is None or self.phase < phase:
            if not self._hears.poll(seconds):
                return False
            try:
                self.phase = self._hears.recv()
            except EOFError:
                return False
        return True

    def now(self) -> Phase:
        """How far it has come at this moment, as far as it has said."""
        self.wait_for(Phase.DONE, seconds=0)
        assert self.phase is not None
        return self.phase

    def kill(self) -> None:
        """End it with SIGKILL, and hear what it said last."""
        self._process.kill()
        self.ends()

    def ends(self, seconds: float = 60) -> bool:
        """Wait for its end. Returns whether its run succeeded."""
        self.wait_for(Phase.DONE, seconds)
        self._process.join(seconds)
        assert self._process.exitcode is not None
        succeeded = self._process.exitcode == 0
        self._process.close()
        self._hears.close()
        return succeeded
