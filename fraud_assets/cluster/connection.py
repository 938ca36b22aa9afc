"""The way to a Dask scheduler that exists: addresses, certificates, and one sentence for each thing that is in it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from distributed import Client, Security, get_client, get_worker

from fraud_assets.cluster.errors import ClusterError
from fraud_assets.settings import DaskSettings


@contextmanager
def connected(settings: DaskSettings) -> Iterator[Client]:
    """A client of the scheduler, which has at least one worker. Raises `ClusterError`.

    What is scattered and gathered goes from and to the workers themselves: the scheduler hears of it, and has none of
    it. On a worker it is the worker's own client, of the scheduler that the worker belongs to.
    """
    if is_on_worker():
        yield get_client()
        return
    client = _client(settings)
    try:
        _wait_for_workers(client, settings)
        yield client
    finally:
        client.close()


def is_on_worker() -> bool:
    """Whether this thread carries out a task of a Dask worker."""
    try:
        get_worker()
    except ValueError:
        return False
    return True


def security(settings: DaskSettings) -> Security | None:
    """The certificates of a `tls://` address; None for `tcp://`. Raises `ClusterError` for those of no use."""
    if not settings.is_encrypted:
        return None
    made = Security(
        require_encryption=True,
        tls_ca_file=str(settings.ca_file),
        tls_client_cert=str(settings.certificate_file),
        tls_client_key=str(settings.key_file),
    )
    try:
        for file in (settings.ca_file, settings.certificate_file, settings.key_file):
            if file is not None:
                file.open("rb").close()
        made.get_connection_args("client")
    except OSError as error:  # which ssl.SSLError is as well
        raise ClusterError(
            f"The Dask scheduler {settings.scheduler} cannot be asked: {error}; correct the files under dask that "
            "certify this side, in PEM.",
            may_pass=False,
        ) from error
    return made


def _client(settings: DaskSettings) -> Client:
    certificates = security(settings)
    try:
        return Client(
            settings.scheduler,
            security=certificates,
            timeout=settings.wait_seconds,
            set_as_default=False,
            direct_to_workers=True,
            name="fraud-assets",
        )
    except (OSError, TimeoutError) as error:
        # Of the whole chain people are told the innermost, which would not say whose connection it was.
        raise ClusterError(
            f"The Dask scheduler {settings.scheduler} does not answer ({_why(error)}); start it (dask scheduler), or "
            "correct dask.scheduler."
        ) from None


def _wait_for_workers(client: Client, settings: DaskSettings) -> None:
    try:
        client.wait_for_workers(1, timeout=settings.wait_seconds)
    except TimeoutError:
        raise ClusterError(
            f"The Dask scheduler {settings.scheduler} has no workers, after {settings.wait_seconds:g} s (dask."
            f"wait_seconds); start one (dask worker {settings.scheduler} --nthreads 1)."
        ) from None


def _why(error: BaseException) -> str:
    """What the network said, without the object in Dask that heard it."""
    said = " ".join(str(error.__cause__ or error).split()) or type(error).__name__
    return re.sub(r"^in <[^>]*>: ", "", said)
