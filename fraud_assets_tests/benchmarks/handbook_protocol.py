"""The handbook's protocol, ours beside the published.

Run as `python -m fraud_assets_tests.benchmarks.handbook_protocol FOLDER`, where FOLDER holds one Parquet file a day
(YYYY-MM-DD.parquet) in the layout of the simulated handbook data. Each start is the first day of the peers' training
week; the test week begins 14 days later. Ours is what the pipeline makes on the eve of the test week (start + 13 days):
candidates, validation, winner and refit from what was known by then, without a champion from before. It learns from
more than the peers' week, as it does in use; its newest rows are no newer. All settings but the source are those of
the process (fraud.toml, FRAUD_*).

The book's best are its published means over four later test weeks, printed for orientation. The random forest and the
ceiling (book.py says what they are) are from the same run and the same rows.
"""

import argparse
import time
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import pandas as pd

from fraud_assets.assets.plan import Plan
from fraud_assets.learning import score
from fraud_assets_tests.benchmarks import book
from fraud_assets_tests.benchmarks.book import Figures
from fraud_assets_tests.benchmarks.bounds import Bounds
from fraud_assets_tests.benchmarks.handbook_data import DaysInMemory, dates_in, handbook_plan, read_days
from fraud_assets_tests.benchmarks.pipeline import ModelOfDay, model_of_day

STARTS = ("2018-07-11", "2018-07-04", "2018-06-27", "2018-06-20")
PUBLISHED_BEST = Figures(0.879, 0.687, 0.305)
FOREST_WHEN_TRIED = Figures(0.880, 0.694, 0.289)
CEILING_WHEN_TRIED = Figures(0.895, 0.796, 0.299)


@dataclass(frozen=True)
class Fold:
    """One start: the figures of each scorer on the same test rows."""

    ours: Figures
    forest: Figures
    ceiling: Figures


def main() -> None:
    options = _options()
    windows = {"training_days": options.training_days, "validation_days": options.validation_days}
    plan = handbook_plan(options.folder, **{name: days for name, days in windows.items() if days is not None})
    if plan.settings.label_delay_days != book.DAYS:
        raise SystemExit(f"The protocol's label delay is {book.DAYS} days; unset label_delay_days.")
    last = max(options.starts) + timedelta(days=3 * book.DAYS - 1)
    days = read_days(plan, [day for day in dates_in(options.folder) if day <= last])
    rows = in_hindsight(plan, days)
    print(
        f"The handbook's protocol; ours trains on {plan.windows.training_days} days and validates on "
        f"{plan.windows.validation_days}. AP is average precision, CP card precision at 100."
    )
    print(f"{'':<44}{'ROC AUC':>9}{'AP':>9}{'CP':>9}", flush=True)
    folds = [_fold(plan, days, rows, start) for start in options.starts]
    _report(folds, were_tried=tuple(map(str, options.starts)) == STARTS)


def in_hindsight(plan: Plan, days: DaysInMemory) -> pd.DataFrame:
    """All rows with what peers, ceiling and judges need: the label, the day, and whether a terminal was bad."""
    rows = days.features.merge(days.labels[["transaction_id", "label"]], on="transaction_id", validate="one_to_one")
    local_time = rows["transaction_time"].dt.tz_convert(plan.settings.timezone)
    return rows.assign(day=local_time.dt.date, at_bad_terminal=book.at_bad_terminals(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The handbook's protocol on any weeks of a folder.")
    parser.add_argument("folder", type=lambda text: Path(text).absolute())
    parser.add_argument("--starts", type=date.fromisoformat, nargs="+", default=[date.fromisoformat(s) for s in STARTS])
    parser.add_argument("--training-days", type=int, help="of ours; default: the settings'")
    parser.add_argument("--validation-days", type=int, help="of ours; default: the settings'")
    return parser.parse_args()


def _fold(plan: Plan, days: DaysInMemory, rows: pd.DataFrame, start: date) -> Fold:
    started = time.perf_counter()
    eve = start + timedelta(days=2 * book.DAYS - 1)
    made = model_of_day(plan, eve.isoformat(), days)
    took = time.perf_counter() - started
    test = book.test_rows(rows, start)
    if test["label"].nunique() < 2:
        raise SystemExit(
            f"The test week of {start} has no fraud, or no rows; name starts whose weeks are in the folder."
        )
    fold = Fold(
        ours=book.figures(test, score(made.best.model, test, jobs=plan.settings.learning.jobs)),
        forest=book.figures(test, book.random_forest(book.training_rows(rows, start), test)),
        ceiling=book.ceiling(test),
    )
    print(f"{start}: {len(test):,} test rows, {int(test['label'].sum())} frauds")
    _line(f"  ours: {made.best.recipe.family} ({took:.0f} s)", fold.ours)
    _line("  random forest, one week", fold.forest)
    _line("  ceiling", fold.ceiling)
    print(f"  on the validation days until then: {_promises(made)}", flush=True)
    return fold


def _promises(made: ModelOfDay) -> str:
    """Each candidate's average precision on the validation days, the best first."""
    ordered = sorted(made.promised.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:.3f}" for name, value in ordered)


def _report(folds: list[Fold], *, were_tried: bool) -> None:
    ours = Figures.mean([fold.ours for fold in folds])
    forest = Figures.mean([fold.forest for fold in folds])
    ceiling = Figures.mean([fold.ceiling for fold in folds])
    print(f"Means over {len(folds)} folds")
    _line("  ours", ours)
    _line("  random forest, one week", forest)
    if were_tried:
        _line("    the same when it was first tried", FOREST_WHEN_TRIED)
    _line("  published best, on other weeks", PUBLISHED_BEST)
    _line("  ceiling", ceiling)
    if were_tried:
        _line("    the same when it was first tried", CEILING_WHEN_TRIED)
    shares = [of_ours / of_ceiling for of_ours, of_ceiling in zip(ours.values, ceiling.values, strict=True)]
    print(f"{'  ours as a share of the ceiling':<44}" + "".join(f"{share:>9.1%}" for share in shares))
    print("Ours minus the random forest")
    bounds = Bounds()
    bounds.at_least("average precision", ours.average_precision - forest.average_precision, 0.05, form="+.4f")
    bounds.at_least("ROC AUC", ours.roc_auc - forest.roc_auc, 0.003, form="+.4f")
    bounds.at_least("card precision at 100", ours.card_precision - forest.card_precision, -0.003, form="+.4f")
    bounds.end()


def _line(what: str, measured: Figures) -> None:
    print(f"{what:<44}" + "".join(f"{value:>9.4f}" for value in measured.values), flush=True)


if __name__ == "__main__":
    main()
