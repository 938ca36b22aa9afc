"""Jobs without any fraud in them, for what becomes of steps; imported by name here and on workers.

Steps leave marks in the folder that MARKS names, which every host of a test has in common.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
from joblib import Parallel, delayed, effective_n_jobs

from fraud_assets.cluster import dask_executor, fits_on_dask
from fraud_assets.settings import DaskSettings

SETTINGS = DaskSettings(scheduler=os.environ["SMALL_JOBS_SCHEDULER"], wait_seconds=20)
EXECUTOR = dask_executor(SETTINGS)
SOON = dg.RetryPolicy(max_retries=2, delay=0.1)


def _is_first(what: str) -> bool:
    mark = Path(os.environ["MARKS"]) / what
    is_first = not mark.exists()
    mark.touch()
    return is_first


def _note(what: str) -> None:
    with (Path(os.environ["MARKS"]) / "notes").open("a") as notes:
        notes.write(f"{time.time()} {os.getpid()} {what}\n")


@dg.op(retry_policy=SOON)
def fails_at_first() -> int:
    if _is_first("failed"):
        raise dg.Failure("not yet")
    jobs: int = effective_n_jobs(-1)
    return jobs


@dg.op(retry_policy=SOON)
def fails_for_good() -> int:
    raise dg.Failure("never", allow_retries=False)


@dg.op(out={"there": dg.Out(int, is_required=False), "not_there": dg.Out(int, is_required=False)})
def gives_one_of_two() -> Iterator[dg.Output[int]]:
    yield dg.Output(1, "there")


@dg.op
def needs(value: int) -> int:
    return value


@dg.op
def ends_its_worker_at_first() -> int:
    if _is_first("ended"):
        os.kill(os.getpid(), 9)
    return 1


@dg.op(pool="training")
def trains() -> None:
    _note("begin")
    time.sleep(0.7)
    _note("end")


@dg.op
def fits_elsewhere() -> None:
    _note("begin")
    with fits_on_dask(SETTINGS):
        Parallel()(delayed(time.sleep)(0.4) for _ in range(2))
    _note("end")


class Broken(dg.ConfigurableResource[Any]):
    """A resource that cannot be had at first, such as a database that restarts."""

    said: str = "nobody answers"

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        # The process of the run makes it as well, before there are steps.
        if "ON_WORKER" in os.environ and _is_first("broken"):
            raise RuntimeError(self.said)


@dg.op(retry_policy=SOON)
def needs_resource(broken: Broken) -> None:
    return None


@dg.job(executor_def=EXECUTOR)
def many_fates() -> None:
    needs.alias("after_retry")(fails_at_first())
    needs.alias("after_failure")(fails_for_good())
    there, not_there = gives_one_of_two()
    needs.alias("after_output")(there)
    needs.alias("after_none")(not_there)
    trains.alias("trains_one")()
    trains.alias("trains_other")()


@dg.job(executor_def=EXECUTOR)
def ended() -> None:
    needs(ends_its_worker_at_first())


@dg.job(executor_def=EXECUTOR, resource_defs={"broken": Broken()})
def resources() -> None:
    needs_resource()


@dg.job(executor_def=EXECUTOR)
def one_step() -> None:
    trains()


@dg.job(executor_def=EXECUTOR)
def side_by_side() -> None:
    fits_elsewhere.alias("fits_first")()
    fits_elsewhere.alias("fits_second")()


defs = dg.Definitions(jobs=[many_fates, ended, resources, one_step, side_by_side])
