"""The memory of the client, as Linux counts it: run as `python -m fraud_assets_tests.benchmarks.memory`.

A partition of 10,000,000 rows streamed in and out again, and a frame of 1,000,000 rows by 31 floats written.
"""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets_tests.benchmarks.bench import mixed, new_server, numbers
from fraud_assets_tests.postgres.material import Store

STREAMED_ROWS = 10_000_000
BATCH_ROWS = 50_000
MB = 1_000_000


def main() -> None:
    with new_server() as (store, _):
        for part in ("in", "out", "frame"):
            subprocess.run([sys.executable, "-m", __spec__.name, part, store.url], check=True)


def stream_in(store: Store) -> None:
    # One batch after another, each made anew: what is measured holds no more of them than storage does.
    schema = pa.Schema.from_pandas(mixed(1), preserve_index=False)

    def batches() -> Iterator[pa.RecordBatch]:
        for _ in range(STREAMED_ROWS // BATCH_ROWS):
            yield pa.RecordBatch.from_pandas(mixed(BATCH_ROWS), schema=schema, preserve_index=False)

    store.write("streamed", "k", pa.RecordBatchReader.from_batches(schema, batches()), keep=0)
    print(f"{STREAMED_ROWS:,} rows streamed in: peak {_memory('VmHWM') / MB:.0f} MB (at most 600), all of the process")


def stream_out(store: Store) -> None:
    rows = sum(batch.num_rows for batch in load(store.postgres, "streamed", ["k"], Selection()).reader)
    print(f"{rows:,} rows streamed out: peak {_memory('VmHWM') / MB:.0f} MB (at most 600), all of the process")


def write_frame(store: Store) -> None:
    frame = numbers()
    store.write("frame", "small", frame.head(1_000))
    size = frame.memory_usage(index=False).sum()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # The peak begins anew.
    store.write("frame", "k", frame)
    copies = (_memory("VmHWM") - before) / size
    print(f"A frame of {size / MB:.0f} MB written: {copies:.2f} copies of it beside itself (less than 1)")


def _memory(name: str) -> int:
    """Bytes of this process's memory, as /proc says."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1_024 for line in lines if line.startswith(f"{name}:"))


PARTS = {"in": stream_in, "out": stream_out, "frame": write_frame}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        PARTS[sys.argv[1]](Store(sys.argv[2]))
    else:
        main()
