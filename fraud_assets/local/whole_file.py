"""Files that are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fraud_assets.local.errors import Refusal


@contextmanager
def whole_file(output: Path) -> Iterator[Path]:
    """A draft beside `output` that takes its place when the block succeeds. Raises `Refusal` where it cannot."""
    if not output.absolute().parent.is_dir():
        raise Refusal(f"The folder {output.absolute().parent} does not exist; create it, or write elsewhere.")
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        yield draft
        draft.replace(output)
    except OSError as error:
        raise Refusal(f"{output} cannot be written ({error.strerror or error}); nothing was changed.") from error
    finally:
        draft.unlink(missing_ok=True)
