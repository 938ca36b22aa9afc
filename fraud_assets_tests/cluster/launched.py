"""Executes a job as a launched run does: in this process, with the executor that the code location has.

`python -m fraud_assets_tests.cluster.launched fraud_assets.definitions daily_fraud_model 2026-03-15`, with the
environment of a code location and DAGSTER_HOME. Leave the day out for a job that has no partitions.
"""

import sys

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from fraud_assets.automation.told import failures


def run(module: str, job: str, *day: str) -> int:
    """Returns 0 where the run has succeeded, and else says why it has not."""
    repository = ReconstructableRepository.for_module(module, "defs")
    tags = {"dagster/partition": day[0]} if day else {}
    with (
        dg.DagsterInstance.get() as instance,
        dg.execute_job(repository.get_reconstructable_job(job), instance, tags=tags) as result,
    ):
        for sentence in failures(result.all_events):
            print(sentence, file=sys.stderr)
        return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(run(*sys.argv[1:]))
