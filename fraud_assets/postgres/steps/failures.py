"""What a step fails with: a sentence that is not tried again, unless another try may help."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg
import psycopg

from fraud_assets.postgres.errors import DatabaseUnavailable, PostgresStorageError


@contextmanager
def as_failures() -> Iterator[None]:
    """Turn what cannot pass into a Failure that is not tried again; what can pass goes on to the retry policy.

    A connection that breaks in the middle of something is left as it is: it passes, and its traceback says where.
    """
    try:
        yield
    except PostgresStorageError as error:
        raise dg.Failure(str(error), allow_retries=isinstance(error, DatabaseUnavailable)) from error
    except psycopg.errors.DiskFull as error:
        # Whatever else fills the disk may be about to free it.
        raise dg.Failure(
            f"The database has no space left ({error.diag.message_primary}); free some and run the day again. "
            "What was stored before is unchanged."
        ) from error
    except psycopg.ProgrammingError as error:
        raise dg.Failure(
            f"The database refuses: {error.diag.message_primary or error}; check the asset's metadata, and the rights "
            "of the role that writes.",
            allow_retries=False,
        ) from error
