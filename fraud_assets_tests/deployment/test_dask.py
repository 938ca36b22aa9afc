"""The profile `dask`: a scheduler and three workers beside the stack; fits and steps go to them, a day is complete."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from fraud_assets_tests.deployment.containers import SMALL_TOML, Containers, containers_in, copied_checkout, run
from fraud_assets_tests.deployment.test_day_two import LAUNCH
from fraud_assets_tests.small_world import ALL_ASSETS

pytestmark = pytest.mark.docker

DAY = str(datetime.now(UTC).date() - timedelta(days=1))
ON_DASK = (
    'executor = "dask"\n'
    + SMALL_TOML.replace("[learning]", '[learning]\nbackend = "dask"')
    + """
[dask]
scheduler = "tcp://dask-scheduler:8786"
"""
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    folder = tmp_path_factory.mktemp("stack")
    with containers_in(folder / "config", ON_DASK, COMPOSE_PROFILES="dask", FRAUD_DASK_WORKERS="3") as made:
        made.folder = copied_checkout(folder)
        made.well("up")
        yield made


def test_three_workers_are_there_and_well(stack: Containers) -> None:
    assert len(stack.compose("ps", "-q", "dask-worker").split()) == 3
    assert "3 workers" in stack.within("code", "fraud-assets", "doctor")


def test_a_day_goes_to_the_workers_one_of_which_is_killed(stack: Containers) -> None:
    stack.within("code", "fraud-assets", "run", "--date", DAY)
    launched = stack.graphql(LAUNCH, day=DAY)["launchPipelineExecution"]["run"]["runId"]
    run(["docker", "kill", "--signal", "KILL", stack.compose("ps", "-q", "dask-worker").split()[0]])
    stack.wait_until_idle()
    assert stack.asked("dagster", f"SELECT status FROM runs WHERE run_id = '{launched}'") == "SUCCESS"
    told = f"SELECT count(*) FROM event_logs WHERE run_id = '{launched}' AND event LIKE '%Steps go to the Dask%'"
    assert stack.asked("dagster", told) == "1"
    counted = (
        "SELECT count(*) FROM dagster_io.versions"
        f" WHERE partition_key = '{DAY}' AND status = 'current' AND run_id = '{launched}'"
    )
    assert stack.asked("fraud", counted) == str(len(ALL_ASSETS))
    # The same hashes as when the command made it: where it happens decides nothing.
    differ = (
        "SELECT count(*) FROM dagster_io.versions n JOIN dagster_io.versions o USING (asset_key, partition_key)"
        f" WHERE n.run_id = '{launched}' AND o.status = 'archived' AND n.asset_key IN ('best_model', 'scored_batch')"
        " AND n.content_hash <> o.content_hash"
    )
    assert stack.asked("fraud", differ) == "0"
