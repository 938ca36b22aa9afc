"""What every asset of one code location shares: settings, the partition, the windows of days, the features.

Assets are made by functions of a `Plan`, so that environments differ by settings and by nothing else.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Protocol, TypeVar

import dagster as dg
import pandas as pd
import pyarrow as pa

from fraud_assets.cluster import ClusterError, fits_on_dask
from fraud_assets.learning import AlertKind, AlertPolicy, FeatureSpec, SearchBudget
from fraud_assets.partitions import Windows, day_end, day_start, shifted
from fraud_assets.settings import ColumnRoles, LabelFiles, Settings
from fraud_assets.sources import LabelFeed, Source, open_source

GROUP = "card_fraud"
"""One group for all: the lineage page folds several groups into boxes, and shows every asset of a single one."""
OWNERS = ("team:fraud-analytics",)
TABLES = "tables"
MODELS = "models"
TRAINING_POOL = "training"
"""Steps that use every core: one at a time, of all runs, so that training never asks for more than the machine has."""

FRESH_WITHIN_HOURS = 6
"""How long after the schedule's hour a day may take, with its retries, before an asset counts as late."""

LABEL_COLUMNS = ["transaction_id", "label", "known_at"]
"""What there is to know of a label: all else is for people to read, and text is what takes longest to load."""

DAY_BY_DAY = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
"""A run a day, launched in the days' order. Dagster launches what has no policy in the order of a set."""

Made = TypeVar("Made")


class Stored(Protocol):
    """The record of a stored partition: its version, what was in it, and what its asset said about it."""

    @property
    def version_id(self) -> int: ...
    @property
    def asset_key(self) -> str: ...
    @property
    def partition_key(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def status(self) -> str: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def content_hash(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, Any]: ...


class Written(Protocol):
    """An entry of a journal: what somebody wrote, and when."""

    @property
    def number(self) -> int: ...
    @property
    def author(self) -> str: ...
    @property
    def content(self) -> Mapping[str, Any]: ...
    @property
    def written_at(self) -> datetime: ...


class Extent(Protocol):
    """Of a stored partition: its rows, the distinct values of one column, and the ends of another."""

    @property
    def rows(self) -> int: ...
    @property
    def distinct(self) -> int: ...
    @property
    def first(self) -> Any: ...
    @property
    def last(self) -> Any: ...


class StoredFacts(Protocol):
    """What an asset can ask the storage about the partitions that it has stored before."""

    def stored_facts(self, asset_key: str, fact: str) -> Mapping[str, Any]:
        """A fact of the current version of each partition, by partition key."""
        ...

    def stored_column_type(self, asset_key: str, column: str) -> pa.DataType | None:
        """The type of a column in the newest version of an asset; None where there is none."""
        ...

    def stored_extents(
        self, asset_key: str, partition_keys: Iterable[str], *, distinct: str, ordered: str
    ) -> Mapping[str, Extent]:
        """By partition that is stored: its rows, the distinct values of one column, and the ends of another."""
        ...

    def stored_schemas(self, asset_key: str, partition_keys: Iterable[str]) -> Mapping[str, pa.Schema]:
        """By partition that is stored as a table: the Arrow schema of its current version."""
        ...

    def stored_row_counts(self, asset_key: str) -> Mapping[str, int]:
        """The number of rows of the current version of each partition, by partition key."""
        ...

    def last_stored_before(self, asset_key: str, partition_key: str) -> Stored | None:
        """The current version of an asset's last partition before one; None where there is none."""
        ...

    def stored_versions(self, asset_key: str, partition_key: str) -> Sequence[Stored]:
        """All versions of a partition, newest first, the pruned ones too."""
        ...

    def upstream_versions(self, version_id: int) -> Sequence[Stored]:
        """The versions that a version was made from."""
        ...

    def journal(self, name: str) -> Sequence[Written]:
        """All entries of a journal, oldest first."""
        ...


@dataclass(frozen=True)
class Plan:
    """The settings of a code location in the terms of its assets."""

    settings: Settings
    partitions: dg.DailyPartitionsDefinition

    @cached_property
    def retries(self) -> dg.RetryPolicy:
        """For what can pass, such as a database that restarts; what cannot is raised as a Failure without retries."""
        said = self.settings.retries
        return dg.RetryPolicy(
            max_retries=said.attempts,
            delay=said.first_delay_seconds,
            backoff=dg.Backoff.EXPONENTIAL,
            jitter=dg.Jitter.PLUS_MINUS,
        )

    @cached_property
    def freshness(self) -> dg.FreshnessPolicy:
        """Yesterday's partition is there some hours after the schedule's, made since the day was over."""
        hours = self.settings.schedule.hour + FRESH_WITHIN_HOURS
        return dg.FreshnessPolicy.cron(
            deadline_cron=f"0 {hours % 24} * * *",
            # When clocks go back, midnight is an hour further away than they show.
            lower_bound_delta=timedelta(hours=min(hours + 1, 24)),
            timezone=self.settings.timezone,
        )

    @cached_property
    def windows(self) -> Windows:
        s = self.settings
        return Windows(s.label_delay_days, s.training_days, s.validation_days)

    @cached_property
    def source(self) -> Source:
        """Where the transactions come from. Opening it touches no file and no database."""
        return open_source(self.settings, pseudonym_key=self.settings.pseudonym_secret)

    @cached_property
    def roles(self) -> ColumnRoles:
        """The column roles of the source, also where its columns are fixed."""
        return self.source.roles

    @cached_property
    def features(self) -> FeatureSpec:
        roles = self.roles
        canonical = {roles.currency: "currency", roles.outcome: "outcome"}
        return FeatureSpec(
            has_customer=roles.customer is not None,
            has_terminal=roles.terminal is not None,
            numeric=roles.numeric,
            categorical=roles.categorical,
            segments=tuple(canonical.get(name, name) for name in roles.segments),
            label_delay=self.settings.label_delay,
            timezone=self.settings.timezone,
            declined_outcomes=roles.declined_outcomes if roles.outcome else (),
        )

    @cached_property
    def feature_history(self) -> tuple[int, int]:
        """The days whose transactions the features of D need.

        One more than the windows have days: with daylight saving, a window of 24-hour days may begin an hour earlier.
        """
        days = self.features.history.days
        return (-days - 1 if days else 0), 0

    @property
    def batch_ingredients(self) -> tuple[object, ...]:
        """The settings that decide what a day's rows and labels are."""
        settings = self.settings
        return settings.source.model_dump(mode="json"), settings.labels.model_dump(mode="json"), settings.timezone

    @cached_property
    def budget(self) -> SearchBudget:
        learning = self.settings.learning
        return SearchBudget(
            configurations=learning.configurations,
            max_search_rows=learning.max_search_rows,
            max_slow_rows=learning.max_slow_rows,
            max_fits=learning.max_fits,
            seed=learning.seed,
            jobs=learning.jobs,
        )

    @contextmanager
    def fits_run(self) -> Iterator[None]:
        """What is fitted within it is fitted where the settings say: by processes of this machine, or by a cluster.

        Scoring stays outside: it takes seconds, and would send whole days of features and every model's bytes around.
        Raises `Failure`, which may be tried again where the cluster may be back by then.
        """
        if self.settings.learning.backend == "local":
            yield
            return
        try:
            with fits_on_dask(self.settings.dask):
                yield
        except ClusterError as error:
            raise dg.Failure(str(error), allow_retries=error.may_pass) from error

    @cached_property
    def alert_policy(self) -> AlertPolicy:
        """How a day's alerts are raised, on validation days as on the day itself."""
        learning = self.settings.learning
        return AlertPolicy(
            kind=AlertKind(learning.alert_policy),
            alerts_per_day=learning.alerts_per_day,
            cost_per_alert=learning.cost_per_alert,
            recovered_share=learning.recovered_share,
        )

    @property
    def learned_columns(self) -> list[str]:
        """What is loaded of `cleaned_features` where nothing but learning is done with it."""
        return ["transaction_id", "transaction_time", "is_learnable", *self.features.names]

    def has_batch(self, day: date) -> bool:
        """Whether the source is known to have a batch of that day."""
        return self.source.has_day(day)

    def has_labels(self, day: date) -> bool:
        """Whether there is something to make the day's labels of: always, where batches carry their own."""
        feed = self.settings.labels
        return not isinstance(feed, LabelFiles) or LabelFeed(feed, self.settings.tzinfo).has_day(day)

    @cached_property
    def code_versions(self) -> dict[str, str]:
        """The code version of each asset that keeps a history: what it was made by, settings included."""
        batch = self.batch_ingredients
        delay = self.windows.label_delay_days
        raw = code_version("2", *batch)
        return {
            "raw_batch": raw,
            "rejected_rows": raw,
            "labels": code_version("1", *batch, delay),
            "cleaned_features": code_version("1", self.features, *batch, delay),
        }

    def start(self, day: str) -> pd.Timestamp:
        return day_start(day, self.settings.timezone)

    def end(self, day: str) -> pd.Timestamp:
        return day_end(day, self.settings.timezone)

    def end_of(self, day: str, offset: int) -> pd.Timestamp:
        """The end of the day that lies `offset` days after `day`."""
        return day_end(shifted(day, offset), self.settings.timezone)


def code_version(version: str, *ingredients: object) -> str:
    """The version of an asset's code, and a digest of those settings that change what it computes."""
    if not ingredients:
        return version
    written = json.dumps(ingredients, sort_keys=True, default=str)
    return f"{version}-{hashlib.sha256(written.encode()).hexdigest()[:8]}"


def optional_input(**metadata: Any) -> dg.AssetIn:
    """An input of whatever exists: days before the first, and what a half-finished day lacks, are missing by right."""
    return dg.AssetIn(metadata={**metadata, "missing": "empty"})


class EachDay(Mapping[str, Made]):
    """A value for each partition of a run, made when storage asks for it and not before.

    A range of days is so written one day after the other, and never stands in memory as a whole.
    """

    def __init__(self, keys: list[str], make: Callable[[str], Made]) -> None:
        self._keys = keys
        self._make = make

    def __getitem__(self, key: str) -> Made:
        if key not in self:
            raise KeyError(key)
        return self._make(key)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
