"""Tables as files: CSV or Parquet by the file's name, whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.whole_file import whole_file
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.storage.tables import registered_spec

Write = Callable[[pa.RecordBatch], object]


def export_table(workplace: Workplace, asset: str, day: str, output: Path) -> int:
    """Write a partition to a file and return its number of rows.

    Raises `Refusal` for a file name that says no format, and for what is not stored or no table.
    """
    check_output(output)
    check_asset(workplace, asset)
    postgres = workplace.postgres()
    if day not in postgres.stored_row_counts(asset):
        raise Refusal(f"There is no partition {day} of {asset}; fraud-assets run --date {day} makes all of that day.")
    with postgres.connect() as connection:
        if registered_spec(connection, asset) is None:
            raise Refusal(f"{asset} is a model and no table; fraud-assets models export writes the best one.")
    return write_rows(output, load(postgres, asset, [day], Selection()).reader)


def check_asset(workplace: Workplace, asset: str) -> None:
    """Refuse a name that is no asset's."""
    defs, _ = code_location(workplace)
    known = sorted(key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys)
    if asset not in known:
        raise Refusal(f"There is no asset {asset!r}; the assets are {', '.join(known)}.")


def check_output(output: Path) -> None:
    """Refuse a file that cannot be written before any work is done."""
    if output.suffix not in {".csv", ".parquet"}:
        raise Refusal(f"{output} says neither CSV nor Parquet; end the file's name with .csv or .parquet.")
    if not output.absolute().parent.is_dir():
        raise Refusal(f"The folder {output.absolute().parent} does not exist; create it, or write elsewhere.")


def write_rows(output: Path, reader: pa.RecordBatchReader) -> int:
    """Write rows to a file as they come and return their number; a failure leaves the file as it was."""
    rows = 0
    with whole_file(output) as draft, _writer(output, draft, reader.schema) as write:
        for batch in reader:
            write(batch)
            rows += batch.num_rows
    return rows


@contextmanager
def _writer(output: Path, draft: Path, schema: pa.Schema) -> Iterator[Write]:
    if output.suffix == ".parquet":
        with parquet.ParquetWriter(draft, schema) as writer:
            yield writer.write_batch
    else:
        with csv.CSVWriter(draft, schema) as writer:
            yield writer.write_batch
