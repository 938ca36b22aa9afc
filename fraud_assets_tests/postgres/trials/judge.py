"""What must hold after a write was cut off, wherever that was: one version or the other, and all agree on which."""

import hashlib
import statistics
import time
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from psycopg import Connection

from fraud_assets.postgres.storage.ledger import Status, Version, find_version, versions
from fraud_assets.postgres.storage.models import load_model
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets_tests.postgres.material import SCHEMA, Store
from fraud_assets_tests.postgres.trials.writers import SIGNING_KEY, Kind, Numbers, Phase, Writer, rows
from fraud_assets_tests.postgres.trials.writers import store as materialize

SPARED = 7
"""The number in the partition that nobody writes to during a trial."""

KEPT = 3
"""Archived versions, by the managers' default."""


@dataclass(frozen=True)
class Span:
    """A part of a write: what it begins with, and how many seconds it takes when it is left alone."""

    begins: Phase
    seconds: float


@dataclass
class Judge:
    """One kind of thing, stored in a database: what its partition `hit` held last, and what was tried since."""

    store: Store
    kind: Kind
    stored: int = 0
    attempted: int = 0

    def prepare(self) -> None:
        """Store the first versions."""
        assert materialize(self.store.url, self.kind, "spared", SPARED)
        self.write_again()

    def attempt(self) -> Writer:
        """Begin to store the next number in `hit`, in another process."""
        self.attempted += 1
        return Writer(self.store.url, self.kind, self.attempted)

    def write_again(self) -> None:
        """The next write succeeds, and leaves no more in the archive than it should."""
        self.attempted += 1
        assert materialize(self.store.url, self.kind, "hit", self.attempted)
        assert self.verdict(kept=KEPT)

    def spans(self) -> list[Span]:
        """A whole write, and its parts, by the median of five; a model's has no end of its rows."""
        phases = [Phase.BEGUN, Phase.FILLING, Phase.DONE] if self.kind is Kind.MODEL else list(Phase)
        measured = []
        for _ in range(5):
            writer, times = self.attempt(), {}
            for phase in phases:
                assert writer.wait_for(phase)
                times[phase] = time.monotonic()
            assert writer.ends()
            assert self.verdict()
            measured.append(times)
        return [
            Span(first, round(statistics.median(times[last] - times[first] for times in measured), 3))
            for first, last in [(Phase.BEGUN, Phase.DONE), *pairwise(phases)]
        ]

    def verdict(self, kept: int = KEPT + 1) -> bool:
        """Whether `hit` is the last attempt's now, and not what was stored before; it must be one of them, wholly.

        A write that was cut off after its commit has left one archived version for the next to prune, beyond `kept`.
        """
        with self.store.connect() as connection:
            self._wait_until_alone(connection)
            self._check_versions(connection, kept)
            self._check_leftovers(connection)
            assert self._number(connection, "spared") == SPARED
            found = self._number(connection, "hit")
        assert found in {self.stored, self.attempted}
        is_new = found == self.attempted
        self.stored = found
        if self.kind is not Kind.MODEL:
            self._check_load()
        self.store.check_consistent()
        return is_new

    def _number(self, connection: Connection[Any], key: str) -> int:
        """The number that a partition holds, by what people see of it and by the ledger."""
        number = self._modelled(connection, key) if self.kind is Kind.MODEL else self._tabled(connection, key)
        recorded = find_version(connection, self.kind, key).row_count
        assert recorded == (1 if self.kind is Kind.MODEL else rows(self.kind, number))
        return number

    def _tabled(self, connection: Connection[Any], key: str) -> int:
        query = f"SELECT count(*), sum(n), min(number), max(number) FROM {SCHEMA}.{self.kind} WHERE partition_key = %s"
        found = connection.execute(query.encode(), [key]).fetchone()
        assert found is not None
        count, total, number, other = found
        assert (number, count) == (other, rows(self.kind, number))
        assert total == count * (count - 1) // 2
        return int(number)

    def _modelled(self, connection: Connection[Any], key: str) -> int:
        _, model = load_model(connection, self.kind, key, signing_key=SIGNING_KEY.encode())
        assert isinstance(model, Numbers)
        assert len(model.values) == rows(self.kind, model.number)
        assert set(model.values.tolist()) == {model.number}
        return model.number

    def _check_load(self) -> None:
        """What Dagster loads is what people see."""
        loaded = load(self.store.postgres, self.kind, ["hit"], Selection(), frozenset({"hit"})).reader.read_all()
        assert loaded["number"].unique().to_pylist() == [self.stored]
        assert loaded["n"].to_pylist() == list(range(rows(self.kind, self.stored)))

    def _check_versions(self, connection: Connection[Any], kept: int) -> None:
        """Versions are numbered without a gap, the newest is current, and those that are kept are there, whole."""
        recorded = versions(connection, self.kind, "hit")
        assert [version.version for version in recorded] == list(range(len(recorded), 0, -1))
        archived = [version for version in recorded if version.status == Status.ARCHIVED]
        pruned = len(recorded) - 1 - len(archived)
        assert len(archived) <= kept
        assert [v.status for v in recorded] == ["current"] + ["archived"] * len(archived) + ["pruned"] * pruned
        for version in archived:
            self._check_archived(connection, version)

    def _check_archived(self, connection: Connection[Any], version: Version) -> None:
        if self.kind is Kind.MODEL:
            query = f"SELECT payload FROM dagster_io.models WHERE version_id = {version.version_id}"
            found = connection.execute(query.encode()).fetchall()
            assert [hashlib.sha256(payload).hexdigest() for (payload,) in found] == [version.content_hash]
            return
        if self.kind is Kind.FRAMES:
            query = f"SELECT count(*), min(number), max(number) FROM {version.relation}"
        else:
            query = (
                "SELECT count(*), min(content ->> 'number')::bigint, max(content ->> 'number')::bigint"
                f" FROM dagster_io.archived_rows WHERE version_id = {version.version_id}"
            )
        found = connection.execute(query.encode()).fetchall()
        number = found[0][1]
        assert found == [(version.row_count, number, number)]
        assert version.row_count == rows(self.kind, number)

    def _check_leftovers(self, connection: Connection[Any]) -> None:
        """Nothing is kept that the ledger has no version of."""
        for table in ("archived_rows", "models", "seen"):
            query = (
                f"SELECT version_id FROM dagster_io.{table} EXCEPT"
                " SELECT version_id FROM dagster_io.versions WHERE status <> 'pruned'"
            )
            assert connection.execute(query.encode()).fetchall() == []

    def _wait_until_alone(self, connection: Connection[Any]) -> None:
        """A server learns of its client's death when it next speaks to it."""
        deadline = time.monotonic() + 60
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        while connection.execute(others).fetchone() != (0,):
            assert time.monotonic() < deadline
            time.sleep(0.01)
