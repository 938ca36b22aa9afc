"""Made days: what the tables hold after so many days of a plausible service, without running one.

Families keep their distance but wander; the champion changes now and then; customers' habits drift once; labels come a
week late. Everything follows from the seed.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg

from fraud_assets.reporting.document import day_headline, day_sections, render
from fraud_assets.reporting.server import PostgresStore
from fraud_assets_tests.reporting.server.made_day import ALERTS, bins, importance, maturity, points, scores, typical
from fraud_assets_tests.reporting.server.made_tables import Tables

__all__ = ["ALERTS", "SCHEMA", "MadeHistory", "store_reports"]

SCHEMA = "fraud"
LABEL_DELAY_DAYS = 7
FAMILIES = (
    "logistic_regression",
    "support_vector_machine",
    "k_nearest_neighbors",
    "random_forest",
    "gradient_boosting",
    "ensemble",
)
SUBJECTS = (
    "amount",
    "is_weekend",
    "is_night",
    "is_new_terminal",
    "customer_seconds_since_last",
    "terminal_days_since_last_fraud",
    *(
        f"{what}_{days}d"
        for what in ("customer_transactions", "customer_mean_amount", "customer_large_amounts", "customer_frauds")
        for days in (1, 7, 14, 30)
    ),
    *(f"terminal_{what}_{days}d" for what in ("transactions", "fraud_share", "frauds") for days in (1, 7, 14, 30)),
    "score",
    "fraud_rate",
)


@dataclass(frozen=True)
class MadeHistory:
    """`count` days from `first` on, with these scorers: seven, the last a baseline by amount."""

    count: int
    first: date = date(2024, 1, 1)
    models: Sequence[str] = (*FAMILIES, "baseline_amount")
    seed: int = 5
    days: list[str] = field(init=False)

    def __post_init__(self) -> None:
        days = [str(self.first + timedelta(days=number)) for number in range(self.count)]
        object.__setattr__(self, "days", days)

    def fill(self, url: str, scored: int = 3, pointed: int = 3) -> None:
        """All tables in the schema of `SCHEMA`; scores of the last `scored` days, operating points of `pointed`."""
        with psycopg.connect(url, autocommit=True) as connection:
            tables = Tables(connection, SCHEMA)
            tables.create()
            for table, make in self._makers().items():
                rows = make()
                tables.append(table, rows, rows["day"])
            for day in self.days[-pointed:]:
                tables.replace("operating_points", day, points(day, self.models))
                tables.replace("calibration_bins", day, bins(day, self.models))
                tables.replace(
                    "feature_importance", day, importance(day, self.champions[self.days.index(day)], SUBJECTS[:-2])
                )
                tables.replace("label_maturity", day, maturity())
            for day in self.days[-scored:]:
                tables.add_scores(day, self.scores(day))
            connection.execute("ANALYZE")

    def _makers(self) -> dict[str, Callable[[], pd.DataFrame]]:
        return {
            "daily_summary": self.summary,
            "evaluation_table": self.evaluation,
            "live_performance": self.live,
            "feature_drift": self.drift,
        }

    def scores(self, day: str) -> pd.DataFrame:
        """The day's transactions, of which `ALERTS` are alerts."""
        return scores(day, self.seed + self.days.index(day))

    @property
    def champions(self) -> list[str]:
        """By day, the family in charge: it changes every nine weeks, and twice within forty days."""
        term = 63 if self.count > 100 else self.count // 3 + 1
        usable = [m for m in self.models if not m.startswith("baseline")]
        best_first = sorted(usable, key=lambda m: -typical(m))[:3]
        return [best_first[(number // term) % len(best_first)] for number in range(self.count)]

    def evaluation(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed)
        frames = []
        for model in self.models:
            wander = np.cumsum(rng.normal(0, 0.004, self.count))
            worse = np.where(np.arange(self.count) > 0.7 * self.count, -0.05, 0.0)
            score = np.clip(typical(model) + wander - wander.mean() + worse, 0.05, 0.97)
            frames.append(self._measured(model, score))
        return pd.concat(frames, ignore_index=True).sort_values(["day", "candidate"], ignore_index=True)

    def _measured(self, model: str, score: np.ndarray[Any, np.dtype[np.float64]]) -> pd.DataFrame:
        is_baseline = model.startswith("baseline")
        saving = 14_000 * score - 1_000
        return pd.DataFrame(
            {
                "day": self.days,
                "candidate": model,
                "average_precision": score,
                "average_precision_low": score - 0.03,
                "average_precision_high": score + 0.03,
                "roc_auc": 0.5 + score / 2,
                "roc_auc_low": 0.48 + score / 2,
                "roc_auc_high": np.minimum(0.52 + score / 2, 1),
                "precision_at_k": score - 0.1,
                "precision_at_k_low": score - 0.15,
                "precision_at_k_high": score - 0.05,
                "recall_at_k": score,
                "recall": score - 0.05,
                "precision": np.minimum(score + 0.12, 1),
                "brier_score": (1 - score) / 100,
                "saving_per_day": saving,
                "saving_per_day_low": saving - 1_200,
                "saving_per_day_high": saving + 1_200,
                "threshold": np.nan if is_baseline else 0.3,
                "validation_rows": 134_000,
                "validation_frauds": 1_170,
                "fit_seconds": np.nan if is_baseline else 3.0,
            }
        )

    def summary(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed + 1)
        family, days = self.champions, self.days
        transactions = 9_600 + rng.integers(-400, 400, self.count) + 900 * (np.arange(self.count) % 7 == 4)
        frauds = rng.poisson(84, self.count)
        taken = [number > 0 and family[number] != family[number - 1] for number in range(self.count)]
        score = np.array([typical(name) for name in family])
        labelled = pd.Series(days).shift(LABEL_DELAY_DAYS)
        known = labelled.notna().to_numpy()
        return pd.DataFrame(
            {
                "day": days,
                "transactions": transactions,
                "amount_total": transactions * 53.0,
                "rejected": rng.integers(0, 4, self.count),
                "learnable": transactions - 12,
                "alerts": ALERTS,
                "alerted_amount": ALERTS * 160.0,
                "expected_saving": 9_000 + rng.normal(0, 400, self.count),
                "lowest_alert_score": 0.06,
                "labelled_day": labelled,
                "labelled_transactions": pd.Series(transactions, dtype="Int64").where(known),
                "frauds": pd.Series(frauds, dtype="Int64").where(known),
                "fraud_rate": np.where(known, frauds / transactions, np.nan),
                "fraud_amount": np.where(known, frauds * 190.0, np.nan),
                "decision_kind": ["first" if not n else "promoted" if taken[n] else "kept" for n in range(self.count)],
                "decision": [self._sentence(n, taken[n]) for n in range(self.count)],
                # A champion whose recipe is no longer a candidate is scored by itself.
                "scored_as": ["champion" if n % 7 == 6 else name for n, name in enumerate(family)],
                "family": family,
                "challenger": "logistic_regression",
                "threshold": 0.3,
                "score": score,
                "score_low": score - 0.03,
                "score_high": score + 0.03,
                "is_promotion": taken,
                "searched_on": [days[number - number % 7] for number in range(self.count)],
                "trained_from": [str(self.first + timedelta(days=n - 35)) for n in range(self.count)],
                "trained_until": [str(self.first + timedelta(days=n - 7)) for n in range(self.count)],
                "model_version": 1,
                "drifted_features": (np.arange(self.count) > 0.7 * self.count).astype(int) * 2,
                "watched_features": len(SUBJECTS),
                "report_bytes": 300_000,
            }
        )

    def live(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed + 2)
        promised = np.array([typical(name) for name in self.champions])
        live = np.clip(promised + rng.normal(-0.01, 0.04, self.count), 0.05, 0.99)
        judged = np.arange(self.count) >= LABEL_DELAY_DAYS
        return pd.DataFrame(
            {
                "day": self.days,
                "scored_date": [str(self.first + timedelta(days=n - LABEL_DELAY_DAYS)) for n in range(self.count)],
                "is_retrospective": pd.Series(False, range(self.count), dtype="boolean").where(judged),
                "alerts": pd.Series(ALERTS, range(self.count), dtype="Int64").where(judged),
                "frauds_in_alerts": pd.Series(61, range(self.count), dtype="Int64").where(judged),
                "alert_precision": np.where(judged, 0.61, np.nan),
                "alert_recall": np.where(judged, 0.7, np.nan),
                "average_precision": np.where(judged, live, np.nan),
                "promised_average_precision": np.where(judged, promised, np.nan),
                "promised_average_precision_low": np.where(judged, promised - 0.06, np.nan),
                "promised_average_precision_high": np.where(judged, promised + 0.06, np.nan),
                "week_average_precision": np.where(judged, live, np.nan),
                "next_week_average_precision_low": np.where(judged, promised - 0.05, np.nan),
                "next_week_average_precision_high": np.where(judged, promised + 0.05, np.nan),
                "reason": [None if known else "No scores of that day are stored." for known in judged],
            }
        )

    def drift(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed + 3)
        late = np.arange(self.count) > 0.7 * self.count
        frames = []
        for place, subject in enumerate(SUBJECTS):
            psi = rng.gamma(2.0, 0.01, self.count) + late * (0.3 if place in (0, 3) else 0.0)
            level = np.select([psi > 0.25, psi > 0.1], ["drift", "watch"], "ok")
            frames.append(pd.DataFrame({"day": self.days, "subject": subject, "psi": psi, "level": level}))
        table = pd.concat(frames, ignore_index=True).sort_values("day", kind="stable", ignore_index=True)
        is_rate = (table["subject"] == "fraud_rate").to_numpy()
        table["value"] = np.where(is_rate, 0.0087, np.nan)
        table["psi"] = table["psi"].mask(is_rate)
        return table.assign(psi_by_chance=0.02, missing_rate=0.0, rows=9_700, reference_rows=38_000)

    def _sentence(self, number: int, is_promotion: bool) -> str:
        family = self.champions[number]
        if number == 0:
            return f"{family} has the highest average precision, and there is no champion to compare it with."
        if is_promotion:
            return f"{family} takes over: it gains +0.0120 of average precision a day over 14 days."
        return "The champion stays: logistic_regression (0.71) gains -0.08 of average precision a day over 14 days."


def store_reports(url: str, days: Sequence[str]) -> None:
    """Stored reports of these days, made of what the database has of them."""
    store = PostgresStore(url, SCHEMA)
    with psycopg.connect(url, autocommit=True) as connection:
        for day in days:
            frames = store.day(day)
            sections = day_sections(frames)
            html = render(day, sections, headline=day_headline(frames))
            titles = json.dumps([section.title for section in sections])
            row = pd.DataFrame([{"day": day, "html": html, "sections": titles}])
            Tables(connection, SCHEMA).replace("performance_report", day, row)
    store.close()
