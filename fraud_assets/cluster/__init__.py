"""Wider than one machine: the steps of a run, and fits, on the workers of a Dask scheduler that exists already.

What lives here: the way to the scheduler (connection.py), fits through joblib (fits.py, and on the workers batches.py),
steps through Dagster's executor (steps.py, and on the workers on_worker.py), and what a worker must have in common with
whoever sends it work (versions.py). What does not: what a step or a fit computes.

Importing this imports nothing of Dask: whoever does not choose it neither needs nor loads it.
"""

from fraud_assets.cluster.choice import dask_executor, fits_on_dask, require_dask
from fraud_assets.cluster.errors import ClusterError

__all__ = ["ClusterError", "dask_executor", "fits_on_dask", "require_dask"]
