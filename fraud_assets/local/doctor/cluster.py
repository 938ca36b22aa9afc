"""The Dask cluster as `doctor` sees it: whether it answers, how wide it is, and whether its workers are like this."""

from fraud_assets.cluster import ClusterError, require_dask
from fraud_assets.local.doctor.findings import Problem, Remark
from fraud_assets.settings import DaskSettings, Executor, Settings


def cluster(settings: Settings) -> str:
    uses = [
        *(["steps"] if settings.executor is Executor.DASK else []),
        *(["fits"] if settings.learning.backend == "dask" else []),
    ]
    if settings.dask.scheduler is None:
        return "not wanted (dask.scheduler is unset)"
    try:
        require_dask()
        said = f"{settings.dask.scheduler}, {_workers(settings.dask)}"
    except ClusterError as error:
        raise Problem(str(error)) from error
    if not uses:
        raise Remark(f"{said}; nothing goes there until executor or learning.backend is 'dask'.")
    return f"{said}, for {' and '.join(uses)}"


def _workers(settings: DaskSettings) -> str:
    """How many there are, with how many threads. Raises `Problem` for those that would compute something else."""
    from fraud_assets.cluster.connection import connected
    from fraud_assets.cluster.versions import differences, own_versions

    with connected(settings) as client:
        threads = client.nthreads()
        answers = client.run(own_versions, on_error="return")
    wrong = []
    for address, theirs in sorted(answers.items()):
        if isinstance(theirs, BaseException):
            wrong.append(f"{address} cannot say its versions ({type(theirs).__name__}: {theirs})")
        elif different := differences(theirs, own_versions()):
            wrong.append(f"{address} has {', '.join(different)}")
    if wrong:
        raise Problem(
            f"{'; '.join(wrong)}; install the same versions of Python and fraud-assets[dask] on all hosts, and start "
            "these workers again."
        )
    workers = "1 worker" if len(threads) == 1 else f"{len(threads)} workers"
    return f"{workers} with {sum(threads.values())} threads in all, of the versions of this process"
