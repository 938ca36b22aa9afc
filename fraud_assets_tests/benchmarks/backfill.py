"""What a backfill takes: `python -m fraud_assets_tests.benchmarks.backfill HANDBOOK [--models]`.

Raw batches, labels and features of the handbook's 122 days as the command makes them, beside two peers on the same
server: a run for each day on the multiprocess executor, and a plain script that reads the same files, computes the same
features and COPYs the same rows into plain tables, with no ledger, no check, no versions and no Dagster. HANDBOOK is
the folder with the daily Parquet files. With `--models`, the best models of the last 14 days follow, by a search of
`MODEL_FITS` fits; by default they would take several times as long.
"""

import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import dagster as dg
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql
from pyarrow import parquet

from fraud_assets.assets.plan import Plan
from fraud_assets.learning import compute_features
from fraud_assets.local.backfill.command import run_backfill
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace, open_workplace
from fraud_assets.local.embedded import EmbeddedServer, ensure_running
from fraud_assets.settings import load_settings
from fraud_assets.sources import labels_of_batches
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.first_day import HANDBOOK
from fraud_assets_tests.benchmarks.handbook_data import COLUMNS, dates_in
from fraud_assets_tests.conftest import discard

RAW_AND_FEATURES = ("raw_batch", "rejected_rows", "labels", "cleaned_features")
ROUNDS = 3
ONE_BY_ONE = 10
SIZES = (10, 40, 120)
MODEL_DAYS = 14
MODEL_FITS = 10
FIRST = date(2018, 4, 1)
IDENTIFIERS = ("transaction_id", "customer_id", "terminal_id")


def main() -> None:
    data = Path(sys.argv[1]).absolute()
    days = dates_in(data)
    bounds = Bounds()
    with _server(data) as server:
        ours, plain = list[float](), list[float]()
        for _ in range(ROUNDS):
            ours.append(_timed(server, days))
            plain.append(_plain(server, data, days))
        print(f"{len(days)} days, raw batches to features, medians of {ROUNDS}")
        print(f"  ours {median(ours):.1f} s; plain computation and COPY {median(plain):.1f} s")
        bounds.at_most("ours / plain computation and COPY", median(ours) / median(plain), 2, form=".2f")
        by_size = {size: median(_timed(server, days[:size]) for _ in range(ROUNDS)) for size in SIZES}
        for size, seconds in by_size.items():
            print(f"  {size} days: {seconds / size:.3f} s a day")
        least, most = SIZES[0], SIZES[-1]
        bounds.at_most(
            f"a day of {most} / a day of {least}", by_size[most] / most / (by_size[least] / least), 1.2, form=".2f"
        )
        one_by_one = _one_by_one(server, days[:ONE_BY_ONE])
        print(f"  a run a day, multiprocess, {ONE_BY_ONE} days: {one_by_one / ONE_BY_ONE:.2f} s a day")
        bounds.at_least(
            "times faster a day than a run a day", one_by_one / ONE_BY_ONE / (median(ours) / len(days)), 20, form=".1f"
        )
        print(f"  largest size of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
        if "--models" in sys.argv:
            _models(server, days)
    bounds.end()


@contextmanager
def _server(data: Path) -> Iterator[EmbeddedServer]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        file = Path(folder) / "fraud.toml"
        file.write_text(f"{HANDBOOK.format(folder=data)}[learning]\nmax_fits = {MODEL_FITS}\n", encoding="utf-8")
        os.environ |= {"FRAUD_CONFIG": str(file), "FRAUD_HOME": str(home), "FRAUD_EXECUTOR": "multiprocess"}
        os.environ["FRAUD_REPORTS__PICTURES"] = "false"
        try:
            yield ensure_running(home)
        finally:
            discard(home)


@contextmanager
def _database(server: EmbeddedServer) -> Iterator[str]:
    """An empty database, dropped afterwards."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE measured")
        try:
            yield server.url("measured")
        finally:
            connection.execute("DROP DATABASE measured WITH (FORCE)")


@contextmanager
def _workplace(server: EmbeddedServer) -> Iterator[Workplace]:
    """A place with nothing stored, and Dagster's own tables made."""
    with _database(server) as url:
        os.environ["FRAUD_DATABASE_URL"] = url
        workplace = open_workplace(load_settings())
        with workplace.instance():
            pass
        yield workplace


def _timed(server: EmbeddedServer, days: Sequence[date]) -> float:
    with _workplace(server) as workplace:
        started = time.perf_counter()
        assert run_backfill(workplace, days[0], days[-1], RAW_AND_FEATURES)
        return time.perf_counter() - started


def _one_by_one(server: EmbeddedServer, days: Sequence[date]) -> float:
    """A run for each day, as Dagster launches them for a backfill without a policy of its own.

    The processes that the daemon would start for the runs themselves are left out; those of the steps are not.
    """
    with _workplace(server) as workplace, workplace.instance() as instance:
        started = time.perf_counter()
        for day in days:
            tags = {"dagster/partition": day.isoformat()}
            keys = [dg.AssetKey(name) for name in RAW_AND_FEATURES]
            with dg.execute_job(
                dg.reconstructable(every_asset), instance, tags=tags, asset_selection=keys, raise_on_error=True
            ) as result:
                assert result.success
        return time.perf_counter() - started


def every_asset() -> dg.JobDefinition:
    """The job of a day by the process's settings; children of the multiprocess executor find it by its name."""
    from fraud_assets.automation import JOB
    from fraud_assets.definitions import defs

    return defs.resolve_job_def(JOB)


def _plain(server: EmbeddedServer, data: Path, days: Sequence[date]) -> float:
    """Files to frames to tables, as a careful script does it."""
    with _workplace(server) as workplace:
        _, plan = code_location(workplace)
        started = time.perf_counter()
        tables = _computed(plan, data, days)
        with psycopg.connect(workplace.database_url) as connection:
            for name, table in tables.items():
                _copy(connection, name, table)
        return time.perf_counter() - started


def _computed(plan: Plan, data: Path, days: Sequence[date]) -> dict[str, pa.Table]:
    raw = pa.concat_tables([_read(data / f"{day}.parquet") for day in days])
    start, end = plan.start(days[0].isoformat()), plan.end(days[-1].isoformat())
    labels = labels_of_batches(raw, plan.settings.label_delay, start, end)
    transactions = raw.drop_columns(["label"]).to_pandas()
    features = compute_features(transactions, labels.to_pandas(), plan.features, start=start, end=end)
    return {"raw": raw, "labels": labels, "features": pa.Table.from_pandas(features, preserve_index=False)}


def _read(file: Path) -> pa.Table:
    names = {theirs: role for role, theirs in COLUMNS.items() if role != "timestamp_timezone"}
    ours = {"timestamp": "transaction_time", "customer": "customer_id", "terminal": "terminal_id"}
    table = parquet.read_table(file, columns=list(names))
    table = table.rename_columns([ours.get(names[name], names[name]) for name in table.column_names])
    for name in IDENTIFIERS:  # as the pipeline stores them
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(pa.int64()))
    place = table.schema.get_field_index("transaction_time")
    times = pc.assume_timezone(table["transaction_time"].cast(pa.timestamp("us")), "UTC")
    return table.set_column(place, "transaction_time", times)


def _copy(connection: "psycopg.Connection[tuple[object, ...]]", name: str, table: pa.Table) -> None:
    encoder = ArrowToPostgresBinaryEncoder(table.schema)
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind.data_type.ddl()))
        for column, kind in zip(table.column_names, encoder.schema().columns, strict=True)
    ]
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(name), sql.SQL(", ").join(columns)))
    with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(name))) as copy:
        copy.write(encoder.write_header())
        for batch in table.to_batches(max_chunksize=100_000):
            copy.write(encoder.write_batch(batch))
        copy.write(encoder.finish())


def _models(server: EmbeddedServer, days: Sequence[date]) -> None:
    with _workplace(server) as workplace:
        first = days[-1] - timedelta(days=MODEL_DAYS - 1)
        assert run_backfill(workplace, days[0], days[-1], RAW_AND_FEATURES)
        started = time.perf_counter()
        assert run_backfill(
            workplace, first, days[-1], ["best_model", "evaluation_table", "evaluation_slices", "candidate_models/*"]
        )
        seconds = time.perf_counter() - started
        print(
            f"  best models of the last {MODEL_DAYS} days, {MODEL_FITS} fits a search: "
            f"{seconds / MODEL_DAYS:.1f} s a day"
        )


if __name__ == "__main__":
    main()
