"""Everything that can be set, in one typed class: `fraud.toml` first, `FRAUD_*` variables over it.

What lives here: names, types, defaults and bounds of settings, and the sentence that says what is wrong with one.
What does not: anything that acts on them. A room that needs a setting is handed it.
"""

from fraud_assets.settings.learning import LearningSettings, WatchingSettings
from fraud_assets.settings.loading import SettingsError, load_settings
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
from fraud_assets.settings.root import CONFIG_FILE, CONFIG_VARIABLE, Settings, config_file
from fraud_assets.settings.sources import (
    ColumnRoles,
    CreditcardSource,
    FilesSource,
    LabelColumn,
    LabelFiles,
    SimulatedSource,
    SqlSource,
)

__all__ = [
    "CONFIG_FILE",
    "CONFIG_VARIABLE",
    "AlertSettings",
    "ColumnRoles",
    "CreditcardSource",
    "DaskSettings",
    "Executor",
    "FilesSource",
    "LabelColumn",
    "LabelFiles",
    "LearningSettings",
    "ReportSettings",
    "RetentionSettings",
    "RetrySettings",
    "ScheduleSettings",
    "SensorSettings",
    "Settings",
    "SettingsError",
    "SimulatedSource",
    "SqlSource",
    "StorageSettings",
    "WatchingSettings",
    "config_file",
    "load_settings",
]
