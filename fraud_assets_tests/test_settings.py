"""Settings: where they come from, and the sentence for each that is wrong."""

from pathlib import Path

import pytest

from fraud_assets.settings import FilesSource, SettingsError, SimulatedSource, load_settings


def test_without_a_file_or_variables_there_are_defaults(tmp_path: Path) -> None:
    settings = load_settings()
    assert isinstance(settings.source, SimulatedSource)
    assert settings.database_url is None
    assert settings.home == tmp_path / ".fraud_assets"
    assert (settings.label_delay_days, settings.training_days, settings.validation_days) == (7, 28, 14)


def test_variables_win_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fraud.toml").write_text("training_days = 10\n[source]\nkind = 'simulated'\nseed = 1\ncustomers = 5\n")
    monkeypatch.setenv("FRAUD_SOURCE__SEED", "2")
    settings = load_settings()
    assert isinstance(settings.source, SimulatedSource)
    assert (settings.training_days, settings.source.seed, settings.source.customers) == (10, 2, 5)


def test_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "fraud.toml").write_text("home = 'local'\n[source]\nkind = 'files'\nfolder = 'landing'\n")
    monkeypatch.setenv("FRAUD_CONFIG", str(folder / "fraud.toml"))
    settings = load_settings()
    assert isinstance(settings.source, FilesSource)
    assert settings.source.folder == folder / "landing"
    assert settings.home == folder / "local"


def test_an_address_ends_without_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links are made of it and of a path."""
    monkeypatch.setenv("FRAUD_REPORTS__URL", "https://fraud.example.com/")
    assert load_settings().reports.url == "https://fraud.example.com"


def test_a_secret_is_in_no_message_and_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_DATABASE_URL", "postgresql://me:hush-hush@host/fraud")
    assert "hush-hush" not in repr(load_settings())
    monkeypatch.setenv("FRAUD_DATABASE_URL", "mysql://me:hush-hush@host/fraud")
    with pytest.raises(SettingsError, match="database_url is not allowed: must be a plain URL") as refused:
        load_settings()
    assert "hush-hush" not in str(refused.value)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("trainning_days = 3", "trainning_days is not a setting"),
        ("[source]\nkind = 'kafka'", "source.kind = 'kafka' is not allowed; it must be one of 'simulated', 'files'"),
        ("[source]\nkind = 'files'", "source.folder is not set"),
        ("[source]\nkind = 'files'\nfolder = 'x'\nseed = 3", "source.seed is not a setting"),
        ("[source]\nkind = 'files'\nfolder = 'x'\npattern = 'x.csv'", "source.pattern = 'x.csv' is not allowed"),
        ("[source]\nkind = 'sql'\nurl = 'sqlite://'", "needs either table or query"),
        ("timezone = 'Berlin'", "timezone = 'Berlin' is not allowed: must be an IANA time zone"),
        ("validation_days = -1", "validation_days = -1 is not allowed: input should be greater than or equal to 0"),
        (
            "[source]\nkind = 'files'\nfolder = 'x'\n[source.columns]\namount = 'a'\nlabel = 'a'",
            "the column 'a' has two roles",
        ),
        ("executor = 'dask'", "executor = 'dask' cannot do without the address of a scheduler that runs; set dask."),
        ("[learning]\nbackend = 'dask'", "learning.backend = 'dask' cannot do without the address of a scheduler"),
        (
            "[dask]\nscheduler = 'scheduler:8786'",
            "dask.scheduler = 'scheduler:8786' is not allowed: must be an address",
        ),
        (
            "[dask]\nscheduler = 'tls://scheduler:8786'\nca_file = 'ca.pem'",
            "dask is not allowed: a tls:// scheduler needs certificates; set certificate_file and key_file, too",
        ),
        ("[dask]\nscheduler = 'tcp://scheduler:8786'\nca_file = 'ca.pem'", "certificates are of use with a tls://"),
        ("[learning]\nalert_policy = 'cost'", "alert_policy = 'cost' needs a cost_per_alert above 0"),
        (
            "[learning]\nalert_policy = 'luck'",
            "learning.alert_policy = 'luck' is not allowed: input should be 'capacity'",
        ),
        ("[learning]\ncost_per_alert = inf", "learning.cost_per_alert = inf is not allowed"),
        (
            "[learning]\nrecovered_share = 0",
            "learning.recovered_share = 0 is not allowed: input should be greater than 0",
        ),
        ("[learning]\namount_bands = [50, 20]", "learning.amount_bands = .* each larger than the one before"),
        ("[learning]\namount_bands = [0, 20]", "learning.amount_bands = .* must be amounts above 0"),
        ("[reports]\nurl = 'reports.example.com'", "reports.url is not allowed: must be an address such as https://"),
        ("[reports]\nurl = 'https://me:hush@reports.example.com'", "reports.url is not allowed: must be an address"),
        ("[reports]\nport = 0", "reports.port = 0 is not allowed"),
        ("training_days = ", "fraud.toml is not valid TOML"),
    ],
)
def test_a_wrong_setting_names_key_value_and_what_is_allowed(toml: str, sentence: str, tmp_path: Path) -> None:
    (tmp_path / "fraud.toml").write_text(toml)
    with pytest.raises(SettingsError, match=sentence):
        load_settings()


def test_a_misspelt_variable_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_SOURCE__SEEED", "1")
    with pytest.raises(SettingsError, match="FRAUD_SOURCE__SEEED is not a setting"):
        load_settings()


def test_a_configuration_that_is_not_there_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_CONFIG", str(tmp_path / "missing.toml"))
    with pytest.raises(SettingsError, match=r"missing\.toml"):
        load_settings()
