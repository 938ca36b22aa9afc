"""Everything that can be set, in one typed class: `fraud.toml` first, `FRAUD_*` variables over it.

What lives here: names, types, defaults and bounds of settings, and the sentence that says what is wrong with one.
What does not: anything that acts on them. A room that needs a setting is handed it.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadableVariable

CONFIG_FILE = "fraud.toml"
CONFIG_VARIABLE = "FRAUD_CONFIG"
PREFIX = "FRAUD_"


class SettingsError(Exception):
    """A key that does not exist, or a value that is not allowed; the message names both and what is allowed."""


def _timezone_name(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("must be an IANA time zone such as 'UTC' or 'Europe/Berlin'")
    return name


def _postgresql_url(url: SecretStr) -> SecretStr:
    scheme = urlsplit(url.get_secret_value()).scheme
    if scheme not in {"postgresql", "postgres"}:
        raise ValueError("must be a plain URL of the form postgresql://user:password@host:port/database")
    return url


def _web_address(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("must be an address such as https://reports.example.com")
    return address.rstrip("/")


TimezoneName = Annotated[str, AfterValidator(_timezone_name)]
PostgresqlUrl = Annotated[SecretStr, AfterValidator(_postgresql_url)]
WebAddress = Annotated[str, AfterValidator(_web_address)]


class Section(BaseModel):
    """A table of `fraud.toml`: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ColumnRoles(Section):
    """Which of the source's columns plays which part. Only timestamp and amount must be there."""

    transaction_id: str | None = None
    timestamp: str = "timestamp"
    timestamp_timezone: TimezoneName | None = Field(default=None, description="the time zone of naive timestamps")
    amount: str = "amount"
    currency: str | None = None
    label: str | None = None
    customer: str | None = None
    terminal: str | None = None
    outcome: str | None = Field(default=None, description="whether the issuer approved or declined")
    declined_outcomes: tuple[str, ...] = ("declined",)
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    sensitive: tuple[str, ...] = Field(default=(), description="columns to replace by their HMAC on the way in")

    @model_validator(mode="after")
    def _one_role_each(self) -> "ColumnRoles":
        single = [self.transaction_id, self.timestamp, self.amount, self.currency, self.label]
        single += [self.customer, self.terminal, self.outcome]
        named = [name for name in (*single, *self.numeric, *self.categorical) if name is not None]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise ValueError(f"the column {twice[0]!r} has two roles; give it one")
        return self


class SimulatedSource(Section):
    """Customers, terminals and three fraud scenarios, made for any day from its date and the seed alone."""

    kind: Literal["simulated"] = "simulated"
    seed: int = Field(default=0, ge=0)
    customers: int = Field(default=5_000, ge=1, description="about 1.92 transactions a day each")
    terminals: int = Field(default=10_000, ge=1)
    radius: float = Field(default=5.0, gt=0, description="how far a customer goes, in a square of 100 by 100")
    drift: float = Field(
        default=0.0, ge=0, description="relative growth of amounts and of compromised customers over a year"
    )


class FilesSource(Section):
    """A landing folder with one CSV or Parquet file a day."""

    kind: Literal["files"]
    folder: Path
    pattern: str = Field(
        default="{date}.parquet", pattern=r"\{date\}", description="the file's name, with {date} in it"
    )
    date_format: str = Field(default="%Y-%m-%d", description="how {date} is written, in strftime's terms")
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    columns: ColumnRoles = ColumnRoles()


class SqlSource(Section):
    """A table or query behind any SQLAlchemy URL."""

    kind: Literal["sql"]
    url: SecretStr
    table: str | None = Field(default=None, description="a table, or schema.table")
    query: str | None = Field(default=None, description="a SELECT instead of a table")
    columns: ColumnRoles = ColumnRoles()

    @model_validator(mode="after")
    def _table_or_query(self) -> "SqlSource":
        if (self.table is None) == (self.query is None):
            raise ValueError("needs either table or query, and not both")
        return self


class CreditcardSource(Section):
    """The public ULB/Kaggle file: Time, V1..V28, Amount, Class over two days."""

    kind: Literal["creditcard"]
    path: Path
    first_day: date = date(2013, 9, 1)


def _kind_defaults_to(kind: str) -> BeforeValidator:
    """A section that sets something else and no kind has the usual one."""
    return BeforeValidator(lambda value: {"kind": kind, **value} if isinstance(value, Mapping) else value)


SourceSettings = Annotated[
    SimulatedSource | FilesSource | SqlSource | CreditcardSource,
    Field(discriminator="kind"),
    _kind_defaults_to("simulated"),
]


class LabelColumn(Section):
    """Labels sit in the daily batch and become known `label_delay_days` after the transaction."""

    kind: Literal["column"] = "column"


class LabelFiles(Section):
    """Labels come in a feed of their own: one CSV or Parquet file for each day on which they became known."""

    kind: Literal["files"]
    folder: Path
    pattern: str = Field(default="{date}.parquet", pattern=r"\{date\}")
    date_format: str = "%Y-%m-%d"
    separator: str = Field(default=",", min_length=1, max_length=1)
    encoding: str = "utf-8"
    transaction_id: str = "transaction_id"
    label: str = "label"
    known_at: str = "known_at"
    known_at_timezone: TimezoneName | None = None
    label_kind: str | None = Field(default=None, description="the column that says chargeback or investigation")


LabelSettings = Annotated[LabelColumn | LabelFiles, Field(discriminator="kind"), _kind_defaults_to("column")]


class Executor(StrEnum):
    """How the steps of one run are carried out."""

    IN_PROCESS = "in_process"
    MULTIPROCESS = "multiprocess"


class LearningSettings(Section):
    """How candidates are searched and compared."""

    seed: int = Field(default=0, ge=0)
    alerts_per_day: int = Field(
        default=100, ge=1, description="how many transactions, or cards, the team can look at in a day"
    )
    alert_policy: Literal["capacity", "cost"] = Field(
        default="capacity",
        description="capacity: the alerts_per_day highest scores; cost: whatever should save more than it costs",
    )
    cost_per_alert: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="what looking at an alert costs, in the amounts' unit; 0 where it is not known",
    )
    recovered_share: float = Field(
        default=1.0, gt=0, le=1, description="the share of a fraudulent amount that an alert saves"
    )
    amount_bands: tuple[float, ...] = Field(
        default=(), description="edges of the evaluation's amount bands; unset means round ones that fit the amounts"
    )
    max_slow_rows: int = Field(
        default=10_000, ge=100, description="training rows of k-nearest neighbours and support vectors"
    )
    max_search_rows: int = Field(
        default=60_000, ge=100, description="training rows of a search; the winner is fitted on all"
    )
    configurations: int = Field(default=6, ge=1, le=60, description="how many parameter sets a family tries in a day")
    max_fits: int = Field(
        default=60, ge=5, description="fits of a day's candidates in all, a fifth for each family: search and last one"
    )
    search_every_days: int = Field(
        default=7, ge=1, le=365, description="for how many days a search's results serve; 1 is a search each day"
    )
    jobs: int = Field(default=-1, description="fits at a time; -1 is one for each core")
    review_sample_size: int = Field(
        default=20, ge=0, description="how many transactions a day are marked for review though they are no alerts"
    )
    promotion: Literal["automatic", "manual"] = Field(
        default="automatic", description="manual: a challenger takes over once somebody runs models approve"
    )
    promotion_margin: float = Field(
        default=0.005, ge=0, le=1, description="average precision by which a challenger must surely be better"
    )
    # Short enough that small gains, which the test rarely proves, arrive within a quarter; a dozen weekly searches.
    champion_max_age_days: int = Field(
        default=90, ge=1, description="after so many days in use a recipe gives way to the best candidate, untested"
    )
    champion_days: int = Field(
        default=28, ge=1, description="how old the last best model may be to count as the champion"
    )

    @model_validator(mode="after")
    def _alerts_by_cost_have_one(self) -> "LearningSettings":
        if self.alert_policy == "cost" and self.cost_per_alert == 0:
            raise ValueError("alert_policy = 'cost' needs a cost_per_alert above 0, or every transaction is an alert")
        return self

    @field_validator("amount_bands")
    @classmethod
    def _ascending(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < edge < float("inf") for edge in edges) or list(edges) != sorted(set(edges)):
            raise ValueError("must be amounts above 0, each larger than the one before")
        return edges


class WatchingSettings(Section):
    """When what became of a day is told apart from what was meant to be, and what is worth a warning."""

    psi_watch: float = Field(
        default=0.1, gt=0, description="population stability index from which on a feature is watched"
    )
    psi_drift: float = Field(default=0.25, gt=0, description="the same, from which on it has drifted and a check warns")
    issued_within_days: int = Field(
        default=3, ge=0, description="scores that are first stored later than that after their day were never acted on"
    )
    maturity_days: int = Field(
        default=28, ge=1, le=365, description="how old the transactions are whose labels' delays are measured"
    )
    mature_share: float = Field(
        default=0.9, gt=0, le=1, description="share of frauds that should be known after label_delay_days"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "WatchingSettings":
        if self.psi_watch > self.psi_drift:
            raise ValueError("psi_watch is above psi_drift; what has drifted must have been watched before")
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
    signing_key: SecretStr | None = Field(
        default=None, description="signs stored models; unset means a key kept in home"
    )
    pseudonym_key: SecretStr | None = Field(
        default=None, description="pseudonymises sensitive columns; unset means as above"
    )
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
    storage: StorageSettings = StorageSettings()
    reports: ReportSettings = ReportSettings()

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


def load_settings(**overrides: Any) -> Settings:
    """Settings from the file and the environment, with relative paths made absolute from the file's folder.

    Raises `SettingsError` with one line for each key that is unknown and each value that is not allowed.
    """
    file = config_file()
    if file is not None and not file.is_file():
        raise SettingsError(f"{CONFIG_VARIABLE} names {file}, which is no file; create it or unset {CONFIG_VARIABLE}.")
    unknown = list(_unknown_variables(os.environ))
    if unknown:
        raise SettingsError("\n".join(unknown))
    try:
        settings = Settings(**overrides)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from error
    except UnreadableVariable as error:
        raise SettingsError(f"{error}: a list or table in a FRAUD_* variable is written as JSON.") from error
    return _with_absolute_paths(settings, file.parent if file else Path.cwd())


def _with_absolute_paths(settings: Settings, base: Path) -> Settings:
    def absolute(path: Path) -> Path:
        return base / path.expanduser()

    changes: dict[str, Any] = {"home": absolute(settings.home)}
    source = settings.source
    if isinstance(source, FilesSource):
        changes["source"] = source.model_copy(update={"folder": absolute(source.folder)})
    elif isinstance(source, CreditcardSource):
        changes["source"] = source.model_copy(update={"path": absolute(source.path)})
    if isinstance(settings.labels, LabelFiles):
        changes["labels"] = settings.labels.model_copy(update={"folder": absolute(settings.labels.folder)})
    return settings.model_copy(update=changes)


def _unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """One sentence for each `FRAUD_*` variable that sets nothing: a misspelt name must not pass in silence."""
    known = set(_variable_names(Settings, PREFIX)) | {CONFIG_VARIABLE}
    for name in sorted(environment):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            yield f"{name} is not a setting; the settings are {', '.join(sorted(known))}."


def _variable_names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        variable = prefix + (field.alias or name).upper()
        yield variable
        for section in _sections(field.annotation):
            yield from _variable_names(section, variable + "__")


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _sections(argument)


def _sentences(error: ValidationError) -> Iterator[str]:
    for problem in error.errors():
        # A discriminated union puts the kind into the location: source.files.folder is the user's source.folder.
        location = [str(part) for part in problem["loc"]]
        if len(location) > 2 and location[0] in {"source", "labels"}:
            del location[1]
        key = ".".join(location) or "settings"
        variable = PREFIX + "__".join(location).upper()
        if problem["type"] == "extra_forbidden":
            yield f"{key} is not a setting; remove it from {CONFIG_FILE}, or correct its name."
        elif problem["type"] == "missing":
            yield f"{key} is not set; set it in {CONFIG_FILE} or as {variable}."
        elif problem["type"] == "union_tag_invalid":
            context = problem["ctx"]
            yield f"{key}.kind = {context['tag']!r} is not allowed; it must be one of {context['expected_tags']}."
        else:
            message = problem["msg"].removeprefix("Value error, ")
            shown = "" if _is_secret(key) or isinstance(problem["input"], Mapping) else f" = {problem['input']!r}"
            yield f"{key}{shown} is not allowed: {message[0].lower()}{message[1:]} (set as {key} or {variable})."


def _is_secret(key: str) -> bool:
    return key.endswith(("url", "key"))
