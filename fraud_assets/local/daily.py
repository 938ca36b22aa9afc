"""A day with the history that it needs, and what is to be seen of it afterwards."""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.assets.plan import Plan
from fraud_assets.local.console import err, out, print_table
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.history import made_by_this_code, missing_batches, missing_features, missing_labels
from fraud_assets.local.ports import LOOPBACK, address
from fraud_assets.local.runs import Days, end_abandoned_runs, run_day, run_range
from fraud_assets.partitions import Window
from fraud_assets.postgres import partition_versions
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.values.to_pandas import to_pandas
from fraud_assets.reporting.browser import BrowserError, find_browser
from fraud_assets.settings import RetrySettings

HEADINGS = {
    "average_precision": "AP",
    "roc_auc": "AUC",
    "precision_at_k": "P@k",
    "recall_at_k": "R@k",
    "card_precision_at_100": "CP@100",
    "brier_skill": "skill",
    "expected_calibration_error": "ECE",
    "saving_per_day": "saving",
    "fit_seconds": "fit s",
}
INTERVAL = "95 %"
PATIENT_ATTEMPTS = 2
"""How often a command tries a step again."""

EXPLANATION = (
    "AP average precision, and its 95 % interval over the days; P@k, R@k precision and recall of each\n"
    "day's alerts_per_day highest scores; CP@100 card precision at 100; skill of the Brier score, 1 is\n"
    "perfect; ECE expected calibration error, 0 is perfect; saving a day by the alerts; fit s seconds of\n"
    "the last fit. All metrics are in evaluation_table, by day, amount and segment in evaluation_slices."
)


def code_location(workplace: Workplace) -> tuple[dg.Definitions, Plan]:
    """The definitions of the workplace's settings, and their plan."""
    # Imported late: the module defines the code location of the whole process, and that needs a complete environment.
    from fraud_assets.definitions import build_defs, build_plan

    return build_defs(workplace.settings), build_plan(workplace.settings)


def run_with_history(workplace: Workplace, day: date) -> None:
    """Every asset of a day; before it, in single runs, the raw batches, labels and features that it lacks."""
    defs, plan = code_location(for_a_command(workplace))
    check_day(plan, day)
    say_what_pictures_lack(workplace)
    with workplace.instance() as instance:
        end_abandoned_runs(instance)
        bring_history(workplace, defs, plan, instance, day.isoformat(), plan.windows.history)
        run_day(defs, instance, day.isoformat())


def for_a_command(workplace: Workplace) -> Workplace:
    """Somebody waits for it: what fails is not tried again for minutes.

    And on a laptop, links lead to where `up` will start the report server, if it finds the port free.
    """
    settings = workplace.settings
    changes: dict[str, Any] = {
        "retries": RetrySettings(
            attempts=min(settings.retries.attempts, PATIENT_ATTEMPTS),
            first_delay_seconds=min(settings.retries.first_delay_seconds, 1.0),
        )
    }
    if settings.reports.url is None and workplace.is_embedded:
        url = address(LOOPBACK, settings.reports.port)
        changes["reports"] = settings.reports.model_copy(update={"url": url})
    return replace(workplace, settings=settings.model_copy(update=changes))


def say_what_pictures_lack(workplace: Workplace) -> None:
    """Once, and not with each of the runs that follow, whose logs are not shown."""
    if workplace.settings.reports.pictures:
        try:
            find_browser()
        except BrowserError as reason:
            err.print(f"{reason} Everything else is made.", markup=False)


def bring_history(
    workplace: Workplace, defs: dg.Definitions, plan: Plan, instance: dg.DagsterInstance, day: str, reach: Window
) -> None:
    """What the days of `reach` before `day` lack, each contiguous range in one run."""
    postgres = workplace.postgres()
    for days in missing_batches(plan, postgres, day, reach):
        run_range(defs, instance, ["raw_batch", "rejected_rows"], days)
    for days in missing_labels(plan, postgres, day, reach):
        run_range(defs, instance, ["labels"], days)
    for days in missing_features(plan, postgres, day, reach):
        run_range(defs, instance, ["cleaned_features"], days)


def bring_features(
    workplace: Workplace, defs: dg.Definitions, plan: Plan, instance: dg.DagsterInstance, day: str
) -> None:
    """The day's own features, where they are missing, with all that they need."""
    if day in made_by_this_code(plan, workplace.postgres(), "cleaned_features"):
        return
    bring_history(workplace, defs, plan, instance, day, (0, 0))
    for assets in (["raw_batch", "rejected_rows"], ["labels"], ["cleaned_features"]):
        run_range(defs, instance, assets, Days(day, day))


def check_day(plan: Plan, day: date) -> None:
    """Refuse a day that has not ended, and one before the first."""
    today = datetime.now(plan.settings.tzinfo).date()
    if day >= today:
        raise Refusal(f"{day} has not ended yet (it is {today} in {plan.settings.timezone}); run it from tomorrow on.")
    first = plan.partitions.start.date()
    if day < first:
        raise Refusal(f"{day} is before the first day, {first}; set start_date if there is data before it.")


def newest_day(plan: Plan) -> date:
    """The last day that has ended."""
    return datetime.now(plan.settings.tzinfo).date() - timedelta(days=1)


def print_day(workplace: Workplace, day: date) -> None:
    """The day's evaluation, its winner, where the rows are, and what to do next."""
    postgres = workplace.postgres()
    key = day.isoformat()
    table = to_pandas(load(postgres, "evaluation_table", [key], Selection(), frozenset([key])).reader.read_all())
    print_evaluation(table, key)
    for name, reason in table.dropna(subset=["failure"]).set_index("candidate")["failure"].items():
        out.print(f"{name} failed: {reason}", markup=False)
    best = partition_versions(postgres, "best_model", key)[0]
    out.print(f"[bold]Best model of {key}[/]: {best.facts['decision']}")
    schema = workplace.settings.storage.schema_
    out.print("\nLook at the rows:")
    out.print(f"  {workplace.psql()} -c 'TABLE {schema}.evaluation_table'", markup=False)
    out.print("Next:")
    out.print("  fraud-assets up                        lineage, schedule and backfills; the reports")
    out.print(f"  fraud-assets report --date {key} --output report.html")
    out.print(f"  fraud-assets models show --date {key}")
    out.print(f"  fraud-assets export scored_batch --date {key} --output scores.csv")
    if workplace.is_embedded:
        out.print("  fraud-assets stop                      the embedded PostgreSQL keeps running until then")


def print_evaluation(table: pd.DataFrame, day: str) -> None:
    """The candidates and baselines of a day, each with its metrics."""
    title = f"Evaluation of {day}, on the validation days"
    shown = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    shown.add_column("candidate", no_wrap=True)
    for heading in _with_interval(list(HEADINGS.values()), INTERVAL):
        shown.add_column(heading, justify="right", no_wrap=True)
    for record in table.to_dict("records"):
        numbers = [_number(metric, record[metric]) for metric in HEADINGS]
        shown.add_row(str(record["candidate"]), *_with_interval(numbers, _interval(record)))
    print_table(shown)
    out.print(EXPLANATION)


def _with_interval(cells: list[str], interval: str) -> list[str]:
    """The interval stands right of the average precision, which is the first."""
    return [cells[0], interval, *cells[1:]]


def _interval(record: Mapping[Hashable, Any]) -> str:
    low, high = (record[f"average_precision_{side}"] for side in ("low", "high"))
    return "" if pd.isna(low) or pd.isna(high) else f"{_share(low)}-{_share(high)}"


def _number(metric: str, value: float | None) -> str:
    if value is None or pd.isna(value):
        return ""
    if metric == "saving_per_day":
        return f"{value:,.0f}"
    if metric == "fit_seconds":
        return f"{value:.1f}"
    return _share(value, 4 if metric == "expected_calibration_error" else 3)


def _share(value: float, digits: int = 3) -> str:
    """Without the zero before the point, which a row of ten numbers has no room for."""
    written = f"{value:.{digits}f}"
    return written.replace("0.", ".", 1) if abs(value) < 1 else written
