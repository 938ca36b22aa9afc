"""What the rest of the package asks of this room, before Dask is imported."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import dagster as dg
from dagster import multiple_process_executor_requirements

from fraud_assets.cluster.errors import ClusterError
from fraud_assets.settings import DaskSettings

NEEDED = ("dask", "distributed", "dagster_dask")


def require_dask() -> None:
    """Raise `ClusterError` where the extra is not installed."""
    if any(find_spec(name) is None for name in NEEDED):
        raise ClusterError(
            "The settings choose dask, which is not installed here; run pip install 'fraud-assets[dask]'.",
            may_pass=False,
        )


def dask_executor(settings: DaskSettings) -> dg.ExecutorDefinition:
    """The executor that sends the steps of a run to the workers of the scheduler. Raises `ClusterError`."""
    require_dask()

    @dg.executor(name="dask", requirements=multiple_process_executor_requirements())
    def dask(context: dg.InitExecutorContext) -> dg.Executor:
        from fraud_assets.cluster.steps import StepsOnDask

        return StepsOnDask(settings)

    return dask


@contextmanager
def fits_on_dask(settings: DaskSettings) -> Iterator[None]:
    """Within it, joblib's pools of this thread send what they are given to the workers. Raises `ClusterError`."""
    require_dask()
    from fraud_assets.cluster.connection import connected
    from fraud_assets.cluster.fits import sent_to

    with connected(settings) as client, sent_to(client):
        yield
