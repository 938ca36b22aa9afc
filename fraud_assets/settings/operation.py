"""How the code location is run: executor, cluster, storage, reports, schedule, sensors, alerts, retention."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from fraud_assets.settings.values import DaskAddress, PostgresqlUrl, Section, WebAddress, WebHook


class Executor(StrEnum):
    """How the steps of one run are carried out."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"
    DASK = "dask"


class DaskSettings(Section):
    """The Dask scheduler that steps and fits are sent to, where `executor` or `learning.backend` says so."""

    scheduler: DaskAddress | None = Field(
        default=None, description="the address of a scheduler that runs: tcp://host:8786, or tls://host:8786"
    )
    ca_file: Path | None = Field(default=None, description="of a tls:// address: the authority's certificate, PEM")
    certificate_file: Path | None = Field(default=None, description="likewise: the certificate of this side")
    key_file: Path | None = Field(default=None, description="likewise: its key")
    wait_seconds: float = Field(
        default=30.0, gt=0, le=3_600, description="for how long the scheduler, and a first worker, are waited for"
    )

    @property
    def is_encrypted(self) -> bool:
        return self.scheduler is not None and self.scheduler.startswith("tls://")

    @model_validator(mode="after")
    def _certificates_with_tls(self) -> "DaskSettings":
        files = {"ca_file": self.ca_file, "certificate_file": self.certificate_file, "key_file": self.key_file}
        missing = [name for name, file in files.items() if file is None]
        if self.is_encrypted and missing:
            raise ValueError(f"a tls:// scheduler needs certificates; set {' and '.join(missing)}, too")
        if not self.is_encrypted and len(missing) < len(files):
            raise ValueError(
                "certificates are of use with a tls:// scheduler only; correct its address, or leave them out"
            )
        return self


class StorageSettings(Section):
    """How the tables are kept."""

    schema_: str = Field(default="fraud", alias="schema", min_length=1)
    archived_versions: int = Field(default=3, ge=0, description="superseded versions of a partition that are kept")
    max_rewrite_rows: int = Field(
        default=50_000_000, ge=0, description="the largest table that a widened column may rewrite"
    )

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ReportSettings(Section):
    """Pictures and numbers, and the report server."""

    pictures: bool = Field(default=True, description="static pictures in the metadata; they need Chrome or Chromium")
    history_days: int = Field(default=90, ge=1)
    url: WebAddress | None = Field(
        default=None, description="where people find the report server, for links to it; unset means where up starts it"
    )
    port: int = Field(default=3001, ge=1, le=65535, description="the report server's port, or a free one where taken")
    database_url: PostgresqlUrl | None = Field(
        default=None, description="the data's PostgreSQL by a role that only reads; unset means the embedded one's"
    )


class ScheduleSettings(Section):
    """When the day that just ended is run, once the schedule is switched on."""

    hour: int = Field(default=1, ge=0, le=23, description="the hour of the schedule's tick, in the settings' timezone")
    catch_up: bool = Field(
        default=False, description="a tick also launches earlier days that were missed, oldest first"
    )
    catch_up_days: int = Field(default=7, ge=1, le=365, description="how many days before the last one it looks back")


class SensorSettings(Section):
    """What sensors wait for, and how much they launch at once."""

    settle_seconds: int = Field(
        default=60, ge=0, le=86_400, description="a file is whole when it has not changed for so long"
    )
    look_back_days: int = Field(
        default=14, ge=1, le=3_650, description="how many days before the newest file a file that was never run is late"
    )
    runs_per_tick: int = Field(default=5, ge=1, le=100, description="the most runs that one look launches")
    quiet_label_days: int = Field(
        default=3, ge=1, le=365, description="days without a single label after which the label feed is quiet"
    )


class RetrySettings(Section):
    """How often a step is tried again after what can pass: a database that restarts, a source that is not there yet."""

    attempts: int = Field(default=4, ge=0, le=20, description="how often it is tried again; 0 fails at once")
    first_delay_seconds: float = Field(
        default=5.0, ge=0, le=3_600, description="the pause before it is tried again, doubled each time"
    )


class AlertSettings(Section):
    """Who hears of what failed."""

    webhook: WebHook | None = Field(
        default=None, description="an address that takes Slack's JSON; unset means that alerts are only logged"
    )
    webhook_file: Annotated[Path | None, BeforeValidator(lambda path: path or None)] = Field(
        default=None, description="the file that holds the address, instead; it is read when there is an alert"
    )
    dagster_url: WebAddress | None = Field(
        default=None, description="where people find Dagster's UI, for links to it; unset means where up starts it"
    )

    @model_validator(mode="after")
    def _one_address(self) -> "AlertSettings":
        if self.webhook is not None and self.webhook_file is not None:
            raise ValueError("alerts.webhook and alerts.webhook_file are both set; keep one of them")
        return self


class RetentionSettings(Section):
    """What is kept how long; what is older, `fraud-assets prune` removes. The ledger keeps the record of all of it."""

    days: dict[str, int] = Field(
        default={}, description="by asset, how many days of partitions are kept; an asset not named is kept whole"
    )
    archived_versions: dict[str, int] = Field(
        default={}, description="by asset, how many superseded versions are kept instead of storage.archived_versions"
    )
    event_days: int | None = Field(
        default=90, ge=1, description="for how many days Dagster keeps what runs logged; unset keeps all of it"
    )

    @field_validator("days")
    @classmethod
    def _some_days(cls, days: dict[str, int]) -> dict[str, int]:
        for asset, kept in days.items():
            if kept < 1:
                raise ValueError(f"keeps {kept} days of {asset}; give 1 or more, or leave it out to keep all")
        return days

    @field_validator("archived_versions")
    @classmethod
    def _no_negative_number(cls, versions: dict[str, int]) -> dict[str, int]:
        for asset, kept in versions.items():
            if kept < 0:
                raise ValueError(f"keeps {kept} archived versions of {asset}; give 0 or more")
        return versions
