"""The protocol of the Fraud Detection Handbook, and the scorers that it is run on beside ours.

Seven days of training, seven of delay, seven of test; card precision at 100 with the cards that were detected on
earlier test days left out; customers whose cards are known to be compromised are no test rows (chapter 5, "Validation
strategies", and chapter 4, "Precision top-k metrics"). Also here: the book's random forest, and a ceiling. What does
not live here: our own models.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import average_precision_score, roc_auc_score

FloatArray = NDArray[np.float64]

DAYS = 7
CARDS = 100
LARGE_AMOUNT = 220
BAD_TERMINAL_RUN = 3
TIE_ORDERS = 20
WINDOWS = (1, 7, 30)
FEATURES = (
    "amount",
    "is_weekend",
    "is_night",
    *(f"customer_{what}_{days}d" for days in WINDOWS for what in ("transactions", "mean_amount")),
    *(f"terminal_{what}_{days}d" for days in WINDOWS for what in ("transactions", "fraud_share")),
)


@dataclass(frozen=True)
class Figures:
    """The three figures of the protocol; those of several folds are averaged by `mean`."""

    roc_auc: float
    average_precision: float
    card_precision: float

    @classmethod
    def mean(cls, all_of_them: "list[Figures]") -> "Figures":
        return cls(*np.mean([of.values for of in all_of_them], axis=0).tolist())

    @property
    def values(self) -> tuple[float, float, float]:
        return self.roc_auc, self.average_precision, self.card_precision


def training_rows(rows: pd.DataFrame, start: date) -> pd.DataFrame:
    """The week that the peers learn from. `rows` has `day` (date) beside features and label, as everywhere here."""
    return rows[(rows["day"] >= start) & (rows["day"] < start + timedelta(days=DAYS))]


def test_rows(rows: pd.DataFrame, start: date) -> pd.DataFrame:
    """The week after the delay, without the customers that are known to be compromised on each day of it.

    Known are those with a fraud in the training week, and on test day D those with a fraud until D-8.
    """
    frauds = rows[rows["label"] == 1]
    known = set(training_rows(frauds, start)["customer_id"])
    first = start + timedelta(days=2 * DAYS)
    kept = []
    for day in (first + timedelta(days=n) for n in range(DAYS)):
        known |= set(frauds.loc[frauds["day"] == day - timedelta(days=DAYS + 1), "customer_id"])
        of_day = rows[rows["day"] == day]
        kept.append(of_day[~of_day["customer_id"].isin(known)])
    return pd.concat(kept)


def figures(rows: pd.DataFrame, scores: FloatArray) -> Figures:
    """ROC AUC and average precision over all rows, card precision at 100 as the mean over their days."""
    return Figures(
        float(roc_auc_score(rows["label"], scores)),
        float(average_precision_score(rows["label"], scores)),
        card_precision(rows, scores),
    )


def card_precision(rows: pd.DataFrame, scores: FloatArray, cards: int = CARDS) -> float:
    """The share of fraudulent cards among the highest of each day, without those detected on the days before.

    A card's score and label on a day are its highest. Equal scores are ordered by card.
    """
    detected: set[Any] = set()
    daily = []
    for _, of_day in rows.assign(score=scores).groupby("day", sort=True):
        undetected = of_day[~of_day["customer_id"].isin(detected)]
        by_card = undetected.groupby("customer_id", sort=True)[["score", "label"]].max()
        highest = by_card.sort_values("score", ascending=False, kind="stable").head(cards)
        hits = highest.index[highest["label"] == 1]
        detected |= set(hits)
        daily.append(len(hits) / cards)
    return float(np.mean(daily))


def random_forest(training: pd.DataFrame, test: pd.DataFrame) -> FloatArray:
    """The scores of the book's forest: 100 trees of depth 20 on one week and the book's features."""
    forest = RandomForestClassifier(n_estimators=100, max_depth=20, n_jobs=-1, random_state=0)
    forest.fit(training[list(FEATURES)], training["label"])
    scores: FloatArray = forest.predict_proba(test[list(FEATURES)])[:, 1]
    return scores


def at_bad_terminals(rows: pd.DataFrame) -> pd.Series:
    """Which frauds are of the kind where all of a terminal's transactions are, for 28 days (bool, by the row's index).

    The data does not say, so it is told from the neighbours: at least three transactions in a row at the terminal are
    frauds. A terminal has about one transaction a day; other frauds are .3 % and practically never follow each other.
    Runs that the ends of the data cut to one or two are missed, as are those of the least visited terminals.
    """
    ordered = rows.sort_values(["terminal_id", "transaction_time", "transaction_id"])
    label, terminal = ordered["label"].to_numpy(), ordered["terminal_id"].to_numpy()
    begins = np.ones(len(ordered), dtype=bool)
    begins[1:] = (label[1:] != label[:-1]) | (terminal[1:] != terminal[:-1])
    run = np.cumsum(begins) - 1
    long_enough = np.bincount(run)[run] >= BAD_TERMINAL_RUN if len(run) else begins
    return pd.Series((label == 1) & long_enough, ordered.index).reindex(rows.index)


def can_be_known(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """The frauds that the ceiling knows; `rows` has `at_bad_terminal`, computed over all days.

    It knows all but those of a bad terminal that say nothing of themselves: an amount as anybody's, and no known fraud
    at the terminal in 30 days.
    """
    silent = rows["at_bad_terminal"] & (rows["amount"] <= LARGE_AMOUNT) & (rows["terminal_fraud_share_30d"] == 0)
    known: NDArray[np.bool_] = ((rows["label"] == 1) & ~silent).to_numpy(dtype=bool)
    return known


def ceiling(rows: pd.DataFrame) -> Figures:
    """The figures of a scorer that puts all frauds that can be known first, and has no opinion on the rest.

    The rest comes in 20 random orders, and the figures are means over them: left as ties, the first unknown frauds
    would all wait for the last genuine row, which takes about .005 off the average precision.
    """
    known = can_be_known(rows).astype(np.float64)
    rng = np.random.default_rng(0)
    return Figures.mean([figures(rows, known + rng.random(len(rows)) / 2) for _ in range(TIE_ORDERS)])
