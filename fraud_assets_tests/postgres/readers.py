"""Everybody who may look at a partition while it is replaced, each in their own way, again and again.

Every row of a partition holds the same `number`, and `n` counts them, so that a torn read shows in counts and sums.
"""

import csv
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
from psycopg import sql

from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets_tests.postgres.material import SCHEMA, Store

FIGURES = "count(*), count(DISTINCT number), sum(n)"


def numbered(number: int, rows: int) -> pa.Table:
    return pa.table({"number": [number] * rows, "n": range(rows)})


@dataclass(frozen=True)
class Readers:
    """Ways to read the one partition of a table `t`, each of which must find `rows` rows of one version."""

    store: Store
    key: str
    rows: int

    @property
    def table(self) -> str:
        return f"{SCHEMA}.t"

    def all(self, *, has_children: bool) -> list[Callable[[], None]]:
        ways = [self.select, self.cursor, self.copy_select, self.one_snapshot, self.late_snapshot, self.our_load]
        return [*ways, self.copy_child] if has_children else ways

    def _check(self, found: object) -> None:
        assert found == (self.rows, 1, self.rows * (self.rows - 1) // 2)

    def _check_rows(self, rows: list[tuple[int, int]]) -> None:
        self._check((len(rows), len({number for number, _ in rows}), sum(n for _, n in rows)))

    def _check_copied(self, text: str) -> None:
        self._check_rows([(int(number), int(n)) for number, n in csv.reader(text.splitlines(), delimiter="\t")])

    def select(self) -> None:
        """A plain SELECT through the parent."""
        with self.store.connect() as connection:
            for _ in range(5):
                self._check(connection.execute(f"SELECT {FIGURES} FROM {self.table}".encode()).fetchone())

    def cursor(self) -> None:
        """A server-side cursor, that takes its time."""
        with (
            self.store.connect() as connection,
            connection.transaction(),
            connection.cursor("slow") as cursor,
        ):
            cursor.execute(f"SELECT number, n FROM {self.table}".encode())
            rows: list[tuple[int, int]] = []
            while some := cursor.fetchmany(self.rows // 3):
                rows += some
            self._check_rows(rows)

    def copy_select(self) -> None:
        """COPY (SELECT ...), as people export with psql."""
        query = f"COPY (SELECT number, n FROM {self.table}) TO STDOUT".encode()
        with self.store.connect() as connection, connection.cursor().copy(query) as copy:
            text = b"".join(bytes(part) for part in copy).decode()
        self._check_copied(text)

    def copy_child(self) -> None:
        """COPY of the partition's own table, looked up under a lock of the parent."""
        with self.store.connect() as connection, connection.transaction(), connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {self.table} IN ACCESS SHARE MODE".encode())
            cursor.execute(
                "SELECT relname FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid"
                " WHERE inhparent = to_regclass(%s)",
                [self.table],
            )
            ((child,),) = cursor.fetchall()
            with cursor.copy(sql.SQL("COPY {} (number, n) TO STDOUT").format(sql.Identifier(SCHEMA, child))) as copy:
                text = b"".join(bytes(part) for part in copy).decode()
        self._check_copied(text)

    def one_snapshot(self) -> None:
        """REPEATABLE READ: statements in one snapshot agree with each other."""
        with self.store.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            seen = set()
            for _ in range(3):
                row = connection.execute(f"SELECT {FIGURES}, min(number) FROM {self.table}".encode()).fetchone()
                assert row is not None
                self._check(row[:3])
                seen.add(row[3])
                connection.execute("SELECT pg_sleep(0.005)")
            assert len(seen) == 1

    def late_snapshot(self) -> None:
        """REPEATABLE READ whose snapshot is older than its first look at the table: swaps happen in between."""
        with self.store.connect() as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT pg_sleep(0.05)")
            self._check(connection.execute(f"SELECT {FIGURES} FROM {self.table}".encode()).fetchone())

    def our_load(self) -> None:
        """What Dagster loads."""
        loaded = load(self.store.postgres, "t", [self.key], Selection(), frozenset({self.key}))
        table = loaded.reader.read_all()
        self._check((len(table), len(table["number"].unique()), sum(table["n"].to_pylist())))
        assert loaded.versions[0].row_count == self.rows


@contextmanager
def all_the_while(looks: list[Callable[[], None]]) -> Iterator[None]:
    """Look again and again, each in a thread of its own, until the block ends; raises what a look raises."""
    done = threading.Event()
    failures: list[BaseException] = []
    counts = [0] * len(looks)

    def keep_looking(place: int, look: Callable[[], None]) -> None:
        try:
            while not done.is_set():
                look()
                counts[place] += 1
                # Looking without a pause would leave the writers nothing of a small machine.
                done.wait(0.01)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=keep_looking, args=item) for item in enumerate(looks)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    if failures:
        raise failures[0]
    assert all(counts), counts
