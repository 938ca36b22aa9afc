"""The one class that all settings are in, and the file that they come from."""

import os
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from fraud_assets.settings.learning import LearningSettings, WatchingSettings
from fraud_assets.settings.operation import (
    AlertSettings,
    DaskSettings,
    Executor,
    ReportSettings,
    RetentionSettings,
    RetrySettings,
    ScheduleSettings,
    SensorSettings,
    StorageSettings,
)
from fraud_assets.settings.sources import (
    ColumnRoles,
    FilesSource,
    LabelColumn,
    LabelSettings,
    SimulatedSource,
    SourceSettings,
    SqlSource,
)
from fraud_assets.settings.values import PostgresqlUrl, TimezoneName

CONFIG_FILE = "fraud.toml"
CONFIG_VARIABLE = "FRAUD_CONFIG"
PREFIX = "FRAUD_"


class Settings(BaseSettings):
    """All settings. Read with `load_settings`, which turns what pydantic finds into one sentence each."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    home: Path = Field(default=Path(".fraud_assets"), description="the folder of everything local")
    database_url: PostgresqlUrl | None = Field(default=None, description="the data's PostgreSQL; unset means embedded")
    dagster_database_url: PostgresqlUrl | None = Field(
        default=None, description="Dagster's own; unset means the same server"
    )
    owner_database_url: PostgresqlUrl | None = Field(
        default=None, description="the same database by the role that owns it, for fraud-assets prepare alone"
    )
    signing_key: SecretStr | None = Field(
        default=None, description="signs stored models; unset means a key kept in home"
    )
    signing_key_file: Path | None = Field(default=None, description="the file that holds it, instead")
    pseudonym_key: SecretStr | None = Field(
        default=None, description="pseudonymises sensitive columns; unset means as above"
    )
    pseudonym_key_file: Path | None = Field(default=None, description="the file that holds it, instead")
    timezone: TimezoneName = "UTC"
    start_date: date | None = Field(
        default=None, description="the first day there is; unset means what the source suggests"
    )
    label_delay_days: int = Field(default=7, ge=0, le=365)
    training_days: int = Field(default=28, ge=1, le=730)
    validation_days: int = Field(default=14, ge=0, le=365)
    executor: Executor = Executor.IN_PROCESS
    source: SourceSettings = SimulatedSource()
    labels: LabelSettings = LabelColumn()
    learning: LearningSettings = LearningSettings()
    watching: WatchingSettings = WatchingSettings()
    dask: DaskSettings = DaskSettings()
    storage: StorageSettings = StorageSettings()
    reports: ReportSettings = ReportSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    sensors: SensorSettings = SensorSettings()
    retries: RetrySettings = RetrySettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()

    @model_validator(mode="after")
    def _each_key_once(self) -> "Settings":
        for name in ("signing_key", "pseudonym_key"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"{name} and {name}_file are both set; keep one of them")
        return self

    @model_validator(mode="after")
    def _dask_is_somewhere(self) -> "Settings":
        chosen = {
            "executor = 'dask'": self.executor is Executor.DASK,
            "learning.backend = 'dask'": self.learning.backend == "dask",
        }
        wanted = [name for name, is_wanted in chosen.items() if is_wanted]
        if wanted and self.dask.scheduler is None:
            raise ValueError(
                f"{' and '.join(wanted)} cannot do without the address of a scheduler that runs; set dask.scheduler in "
                f"{CONFIG_FILE} or {PREFIX}DASK__SCHEDULER."
            )
        return self

    @property
    def tzinfo(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def label_delay(self) -> timedelta:
        return timedelta(days=self.label_delay_days)

    @property
    def pseudonym_secret(self) -> bytes | None:
        """The key that sensitive columns are replaced under, as the sources take it."""
        return self.pseudonym_key.get_secret_value().encode() if self.pseudonym_key else None

    @property
    def columns(self) -> ColumnRoles | None:
        """The user's column roles; None where the source's columns are fixed."""
        return self.source.columns if isinstance(self.source, FilesSource | SqlSource) else None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = config_file()
        if file is None:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)


def config_file() -> Path | None:
    """`$FRAUD_CONFIG`, else `fraud.toml` in the current folder if there is one."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser().absolute()
    here = Path(CONFIG_FILE).absolute()
    return here if here.is_file() else None
