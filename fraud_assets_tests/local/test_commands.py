"""The commands around a day that has been run: what they write, print and check."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import joblib
import pandas as pd
import psycopg
import pytest
from playwright.sync_api import expect

from fraud_assets.instance.launcher import PROCESS_TAG
from fraud_assets.local.embedded import EmbeddedServer
from fraud_assets.local.processes import is_alive, own_identity
from fraud_assets.local.runs import end_abandoned_runs
from fraud_assets_tests.browser import open_page
from fraud_assets_tests.local.command import Command
from fraud_assets_tests.small_world import DAY, SIGNING_KEY, SMALL_TOML, fresh_database

DAY_BEFORE, NEXT_DAY = "2026-03-14", "2026-03-16"


@pytest.fixture(scope="module")
def url(postgres_server: EmbeddedServer) -> Iterator[str]:
    with fresh_database(postgres_server) as made:
        yield made


@pytest.fixture(autouse=True)
def day_that_was_run(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fraud_assets: Command) -> None:
    """Settings, and a database in which the day has been run."""
    (tmp_path / "fraud.toml").write_text(SMALL_TOML)
    monkeypatch.setenv("FRAUD_DATABASE_URL", url)
    monkeypatch.setenv("FRAUD_SIGNING_KEY", SIGNING_KEY)
    with psycopg.connect(url) as connection:
        is_new = connection.execute("SELECT to_regclass('fraud.scored_batch')").fetchone() == (None,)
    if is_new:
        said = fraud_assets("run", "--date", DAY)
        assert said.code == 0, said.err


def _query(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


def test_run_prints_the_evaluation_the_winner_and_a_psql_line(fraud_assets: Command) -> None:
    said = fraud_assets("run", "--date", DAY)
    assert said.code == 0
    for part in ("gradient_boosting", "baseline_amount", f"Best model of {DAY}: ", "psql -h 127.0.0.1", "Next:"):
        assert part in said.out
    assert "Traceback" not in said.err


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_an_exported_table_is_the_stored_one(suffix: str, url: str, tmp_path: Path, fraud_assets: Command) -> None:
    output = tmp_path / f"scores{suffix}"
    assert fraud_assets("export", "scored_batch", "--date", DAY, "--output", str(output)).code == 0
    exported = pd.read_csv(output) if suffix == ".csv" else pd.read_parquet(output)
    stored = _query(url, "SELECT transaction_id, score, rank, is_alert FROM fraud.scored_batch ORDER BY rank")
    written = exported.sort_values("rank")[["transaction_id", "score", "rank", "is_alert"]]
    assert [tuple(row) for row in written.itertuples(index=False)] == stored
    assert [path.name for path in tmp_path.glob(".scores*")] == []


def test_a_failed_export_leaves_the_old_file(tmp_path: Path, fraud_assets: Command) -> None:
    output = tmp_path / "scores.csv"
    output.write_text("what was there")
    assert fraud_assets("export", "scored_batch", "--date", NEXT_DAY, "--output", str(output)).code == 1
    assert output.read_text() == "what was there"


def test_a_report_is_one_file_that_draws_itself(tmp_path: Path, fraud_assets: Command) -> None:
    output = tmp_path / "report.html"
    said = fraud_assets("report", "--date", DAY, "--output", str(output))
    assert (said.code, str(output) in said.out) == (0, True)
    with open_page() as page:
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(output.as_uri())
        expect(page.locator("h1")).to_contain_text("15 March 2026")
        figures = page.locator("figure[data-plot]")
        assert figures.count() > 5
        figures.first.scroll_into_view_if_needed()
        expect(figures.first.locator(".main-svg").first).to_be_visible()
    assert wrong == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_day_without_a_report_leaves_the_old_file_and_says_which_days_have(
    tmp_path: Path, fraud_assets: Command
) -> None:
    output = tmp_path / "report.html"
    output.write_text("what was there")
    said = fraud_assets("report", "--date", NEXT_DAY, "--output", str(output))
    assert said.code == 1
    assert f"no report of {NEXT_DAY}; the nearest are those of {DAY}." in said.err
    assert output.read_text() == "what was there"
    said = fraud_assets("report", "--date", DAY, "--output", str(tmp_path / "nowhere" / "report.html"))
    assert (said.code, "nowhere does not exist" in said.err) == (1, True)


def test_a_model_is_a_table_to_nobody(fraud_assets: Command) -> None:
    said = fraud_assets("export", "best_model", "--date", DAY, "--output", "model.csv")
    assert (said.code, "models export" in said.err) == (1, True)


def test_a_later_day_is_scored_with_its_features_made_first(url: str, tmp_path: Path, fraud_assets: Command) -> None:
    output = tmp_path / "scores.csv"
    said = fraud_assets("score", "--date", NEXT_DAY, "--model-date", DAY, "--output", str(output))
    assert said.code == 0, said.err
    scored = pd.read_csv(output)
    raw = _query(url, f"SELECT transaction_id, label FROM fraud.raw_batch WHERE partition_key = '{NEXT_DAY}'")
    assert set(scored["transaction_id"]) == {row[0] for row in raw}
    labels = pd.DataFrame(raw, columns=["transaction_id", "label"])
    merged = scored.merge(labels)
    assert merged.loc[merged["is_alert"], "label"].mean() > 5 * merged["label"].mean()
    current = "SELECT partition_key FROM dagster_io.versions WHERE status = 'current' AND asset_key = 'best_model'"
    assert _query(url, current) == [(DAY,)]


def test_a_file_is_scored_as_the_same_day_is(tmp_path: Path, fraud_assets: Command) -> None:
    """The stored history of the customers counts, so the scores agree with those of the day itself."""
    assert fraud_assets("export", "raw_batch", "--date", DAY, "--output", str(tmp_path / "raw.parquet")).code == 0
    raw = pd.read_parquet(tmp_path / "raw.parquet").drop(columns="label")
    raw.to_parquet(tmp_path / "batch.parquet")
    said = fraud_assets("score", "--input", str(tmp_path / "batch.parquet"), "--output", str(tmp_path / "file.csv"))
    assert said.code == 0, said.err
    assert fraud_assets("export", "scored_batch", "--date", DAY, "--output", str(tmp_path / "day.csv")).code == 0
    by_file = pd.read_csv(tmp_path / "file.csv").set_index("transaction_id")["score"]
    by_day = pd.read_csv(tmp_path / "day.csv").set_index("transaction_id")["score"]
    pd.testing.assert_series_equal(by_file.sort_index(), by_day.sort_index(), check_exact=True)


def test_a_file_of_two_days_is_ranked_day_by_day(tmp_path: Path, fraud_assets: Command) -> None:
    """Alerts are what a team can look at in a day, and each says why."""
    for day in (DAY_BEFORE, DAY):
        output = str(tmp_path / f"{day}.parquet")
        assert fraud_assets("export", "raw_batch", "--date", day, "--output", output).code == 0
    batches = [pd.read_parquet(tmp_path / f"{day}.parquet").drop(columns="label") for day in (DAY_BEFORE, DAY)]
    pd.concat(batches).to_parquet(tmp_path / "two.parquet")
    both = ("--input", str(tmp_path / "two.parquet"), "--model-date", DAY, "--output", str(tmp_path / "scores.csv"))
    said = fraud_assets("score", *both)
    assert said.code == 0, said.err
    scored = pd.read_csv(tmp_path / "scores.csv").set_index("transaction_id")
    for batch in batches:
        of_day = scored.loc[batch["transaction_id"]]
        assert sorted(of_day["rank"]) == list(range(1, len(of_day) + 1))
        assert of_day.sort_values("rank")["is_alert"].tolist() == [True] * 10 + [False] * (len(of_day) - 10)
        assert of_day.loc[of_day["is_alert"], "reason_1"].notna().all()
        assert of_day["review_sample"].sum() == 20


def test_rows_of_a_file_that_cannot_be_read_are_counted(tmp_path: Path, fraud_assets: Command) -> None:
    rows = "transaction_id,transaction_time,amount,customer_id,terminal_id\n"
    rows += "1,2026-03-15T10:00:00,12.5,7,9\n2,2026-03-15T10:00:01,a lot,7,9\n"
    (tmp_path / "two.csv").write_text(rows)
    said = fraud_assets("score", "--input", str(tmp_path / "two.csv"), "--output", str(tmp_path / "scores.csv"))
    assert said.code == 0, said.err
    assert pd.read_csv(tmp_path / "scores.csv")["transaction_id"].tolist() == [1]
    assert "1 rows were left out" in said.err


def test_models_are_listed_shown_exported_and_verified(tmp_path: Path, fraud_assets: Command) -> None:
    listed = fraud_assets("models", "list")
    assert listed.code == 0
    assert DAY in listed.out
    shown = fraud_assets("models", "show", "--date", DAY)
    for part in ("parameters", "trained_until", "content_hash", "code_version", "decision"):
        assert part in shown.out
    output = tmp_path / "best.joblib"
    assert fraud_assets("models", "export", "--date", DAY, "--output", str(output)).code == 0
    best = joblib.load(output)
    assert best.decision.day == DAY
    assert fraud_assets("models", "verify").code == 0


def test_a_changed_model_is_refused(url: str, fraud_assets: Command) -> None:
    flip = (
        "UPDATE dagster_io.models SET payload = set_byte(payload, 100, get_byte(payload, 100) # 1) WHERE version_id ="
        " (SELECT version_id FROM dagster_io.versions WHERE asset_key = 'best_model' AND status = 'current')"
    )
    with psycopg.connect(url) as connection:
        connection.execute(flip.encode())
    try:
        said = fraud_assets("models", "verify")
        assert (said.code, DAY in said.err) == (1, True)
        assert fraud_assets("score", "--date", DAY, "--output", "scores.csv").code == 1
        assert not Path("scores.csv").exists()
    finally:
        with psycopg.connect(url) as connection:
            connection.execute(flip.encode())


def test_another_key_opens_no_model(fraud_assets: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_SIGNING_KEY", "another key")
    said = fraud_assets("models", "show", "--date", DAY)
    assert (said.code, "signing key" in said.err) == (1, True)


def test_doctor_shows_settings_without_secrets(url: str, fraud_assets: Command) -> None:
    said = fraud_assets("doctor")
    assert said.code == 0
    for part in ("training_days = 8", "database: PostgreSQL 1", "source.kind = simulated"):
        assert part in said.out
    assert SIGNING_KEY not in said.out
    assert url.split(":")[2].split("@")[0] not in said.out


def test_doctor_fails_for_what_is_broken(fraud_assets: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUD_DATABASE_URL", "postgresql://me:hush-hush@127.0.0.1:1/fraud")
    said = fraud_assets("doctor")
    assert said.code == 1
    assert "broken" in said.out
    assert "hush-hush" not in said.out


def test_demo_is_for_the_simulated_source(tmp_path: Path, fraud_assets: Command) -> None:
    (tmp_path / "landing").mkdir()
    (tmp_path / "fraud.toml").write_text(
        "start_date = '2024-01-01'\n[source]\nkind = 'files'\nfolder = 'landing'\n[source.columns]\nlabel = 'fraud'\n"
    )
    said = fraud_assets("demo")
    assert (said.code, "source.kind = files" in said.err) == (1, True)


def test_a_run_whose_process_was_killed_is_closed() -> None:
    @dg.op
    def nothing() -> None:
        """Does nothing."""

    @dg.job
    def empty() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        gone = own_identity().rsplit("/", 1)[0] + "/1"
        for identity in (gone, own_identity()):
            instance.create_run_for_job(empty, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: identity})
        assert end_abandoned_runs(instance) == 1
        statuses = {run.tags[PROCESS_TAG]: run.status for run in instance.get_runs()}
        assert statuses == {
            gone: dg.DagsterRunStatus.FAILURE,
            own_identity(): dg.DagsterRunStatus.STARTED,
        }
        assert is_alive(own_identity())
        assert not is_alive(gone)
