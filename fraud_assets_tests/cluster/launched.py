"""Executes the daily job for one day as a launched run does: in this process, with the executor of the settings.

`python -m fraud_assets_tests.cluster.launched 2026-03-15`, with the environment of a code location and DAGSTER_HOME.
"""

import sys

import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableRepository

from fraud_assets.automation import JOB
from fraud_assets.automation.told import failures


def run(day: str) -> int:
    """Returns 0 where the run has succeeded, and else says why it has not."""
    repository = ReconstructableRepository.for_module("fraud_assets.definitions", "defs")
    with dg.DagsterInstance.get() as instance:
        job = repository.get_reconstructable_job(JOB)
        tags = {"dagster/partition": day}
        with dg.execute_job(job, instance, tags=tags) as result:
            for sentence in failures(result.all_events):
                print(sentence, file=sys.stderr)
            return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
