"""Which runs follow a correction, in which order."""

from dataclasses import dataclass

from fraud_assets.automation.job import IN_DATE_ORDER
from fraud_assets.automation.reruns import CORRECTION, Rerun, reruns

RANGED = {"raw_batch", "labels", "cleaned_features"}


@dataclass(frozen=True)
class Version:
    asset_key: str
    partition_key: str
    is_direct: bool = True
    must_wait: bool = False
    version_id: int = 0


def _launched(*versions: Version) -> list[tuple[tuple[str, ...], str, str]]:
    return [(run.assets, run.first, run.last) for run in reruns(versions, RANGED)]


def test_ranges_come_first_each_in_as_few_runs_as_there_are_holes() -> None:
    days = ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-04"]
    versions = [Version("labels", day) for day in reversed(days)]
    assert _launched(*versions, Version("best_model", "2024-02-28")) == [
        (("labels",), "2024-02-28", "2024-03-01"),
        (("labels",), "2024-03-04", "2024-03-04"),
    ]


def test_what_waits_for_something_outdated_is_not_launched() -> None:
    features = Version("cleaned_features", "2024-03-02", must_wait=True)
    assert _launched(Version("labels", "2024-03-02"), features) == [(("labels",), "2024-03-02", "2024-03-02")]


def test_models_follow_a_day_at_a_time_each_with_all_that_is_reached_there() -> None:
    assert _launched(
        Version("best_model", "2024-03-03", is_direct=False, must_wait=True),
        Version("evaluation_table", "2024-03-03"),
        Version("best_model", "2024-03-02"),
    ) == [
        (("best_model",), "2024-03-02", "2024-03-02"),
        (("best_model", "evaluation_table"), "2024-03-03", "2024-03-03"),
    ]


def test_a_day_that_only_others_reach_waits_until_they_are_known() -> None:
    """They may come out as they were, and no later day goes before it."""
    assert _launched(
        Version("best_model", "2024-03-02"),
        Version("best_model", "2024-03-03", is_direct=False, must_wait=True),
        Version("best_model", "2024-03-04", must_wait=True),
    ) == [(("best_model",), "2024-03-02", "2024-03-02")]


def test_a_run_is_known_by_the_versions_that_it_replaces() -> None:
    first, again = (Rerun(("labels",), "2024-03-01", "2024-03-02", numbers) for numbers in ((1, 2), (1, 3)))
    assert first.run_key != again.run_key
    request = first.request()
    assert request.partition_key is None
    assert request.tags["dagster/asset_partition_range_end"] == "2024-03-02"
    assert IN_DATE_ORDER.items() <= request.tags.items()
    assert CORRECTION in request.tags
    assert Rerun(("labels",), "2024-03-01", "2024-03-01", (1,)).request().partition_key == "2024-03-01"
