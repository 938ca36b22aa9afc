"""Tables as files: CSV or Parquet by the file's name, whole or not at all."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
from pyarrow import csv, parquet

from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.whole_file import whole_file
from fraud_assets.postgres.reading import Selection, load

Write = Callable[[pa.RecordBatch], object]


def export_table(workplace: Workplace, asset: str, day: str, output: Path) -> int:
    """Write a partition to a file and return its number of rows.

    Raises `Refusal` for a file name that says no format, `PartitionMissing` for what is not stored.
    """
    check_output(output)
    loaded = load(workplace.postgres(), asset, [day], Selection(), frozenset([day]))
    return write_rows(output, loaded.reader)


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
