"""Labelled validation days, and the lists that a scorer would have handed to the team on each of them.

Every list of a day is made once, over the whole day; a slice only counts what falls into it. So the savings of all
amount bands add up to the saving of all transactions, and a precision at k is about alerts that are really raised.
What does not live here: what is counted (metrics.py), and which slices there are (slices.py).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fraud_assets.learning.measuring.alerting import AlertKind, AlertPolicy

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

CARDS_PER_DAY = 100


@dataclass(frozen=True)
class LabelledDays:
    """What is known of the rows that scorers are measured on; arrays of one element for each row.

    `day` is a row's position in `days` (dates in order, YYYY-MM-DD); `card` a number for each customer in order of
    their ids, -1 where it is missing; None where the source has no customers.
    """

    label: BoolArray
    amount: FloatArray
    day: IntArray
    days: tuple[str, ...]
    card: IntArray | None

    @classmethod
    def from_rows(cls, rows: pd.DataFrame, timezone: str) -> Self:
        """From rows with label (0/1), amount, transaction_time and perhaps customer_id; days are days of `timezone`."""
        local = rows["transaction_time"].dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize()
        day, dates = pd.factorize(local, sort=True)
        card = pd.factorize(rows["customer_id"], sort=True)[0] if "customer_id" in rows else None
        return cls(
            label=rows["label"].to_numpy(dtype=np.int8) == 1,
            amount=rows["amount"].to_numpy(dtype=np.float64),
            day=day.astype(np.int64),
            days=tuple(dates.strftime("%Y-%m-%d")),
            card=card,
        )

    def of_each_day(self) -> list[IntArray]:
        """The positions of each day's rows, in their order."""
        ends = np.bincount(self.day, minlength=len(self.days)).cumsum()[:-1]
        return np.split(np.argsort(self.day, kind="stable"), ends) if len(self.day) else []


@dataclass(frozen=True)
class ListedCards:
    """The cards that were on a day's list: the row by which each got there, and whether it was fraudulent that day."""

    row: IntArray
    is_fraud: BoolArray


@dataclass(frozen=True)
class ScoredDays:
    """One scorer's scores of labelled days, and what would have been on each day's lists.

    `order`: the rows from the highest score down, equal ones in their order. `among_highest`: the k highest scores of
    the day. `is_alert`: by the policy; None by cost for scores that are no probabilities. `is_above`: score >=
    threshold; None without a threshold.
    """

    labelled: LabelledDays
    score: FloatArray
    policy: AlertPolicy
    order: IntArray
    among_highest: BoolArray
    is_alert: BoolArray | None
    is_above: BoolArray | None
    cards: ListedCards | None

    @classmethod
    def of(cls, labelled: LabelledDays, scores: FloatArray, *, threshold: float | None, policy: AlertPolicy) -> Self:
        """Of finite scores, one for each labelled row."""
        among_highest, alerts = (np.zeros(len(scores), dtype=np.bool_) for _ in range(2))
        everyone = np.ones(len(scores), dtype=np.bool_)
        for rows in labelled.of_each_day():
            among_highest[rows] = policy.highest(scores[rows], everyone[rows])
            alerts[rows] = policy.alerts(scores[rows], labelled.amount[rows], everyone[rows])
        raises_alerts = policy.kind is AlertKind.CAPACITY or are_probabilities(scores)
        return cls(
            labelled=labelled,
            score=scores,
            policy=policy,
            order=np.argsort(-scores, kind="stable"),
            among_highest=among_highest,
            is_alert=alerts if raises_alerts else None,
            is_above=None if threshold is None else scores >= threshold,
            cards=None if labelled.card is None else _listed_cards(labelled, labelled.card, scores),
        )


def are_probabilities(scores: FloatArray) -> bool:
    """Whether all scores lie between 0 and 1."""
    return len(scores) == 0 or bool(scores.min() >= 0 and scores.max() <= 1)


def _listed_cards(labelled: LabelledDays, card: IntArray, scores: FloatArray) -> ListedCards:
    """The cards of card precision at 100: the handbook, chapter 4 "Precision top-k metrics", day by day in order.

    Each day: without the cards detected on earlier days, each card by its highest score and label, the 100 highest;
    the fraudulent ones are detected from then on. Equal scores are ordered by card.
    """
    detected = np.zeros(card.max(initial=-1) + 1, dtype=np.bool_)
    listed: list[IntArray] = []
    caught: list[BoolArray] = []
    for rows in labelled.of_each_day():
        known = rows[card[rows] >= 0]
        open_ = known[~detected[card[known]]]
        order = open_[np.lexsort((card[open_], -scores[open_]))]
        first = np.sort(np.unique(card[order], return_index=True)[1])[:CARDS_PER_DAY]
        is_fraud = np.isin(card[order[first]], card[open_[labelled.label[open_]]])
        detected[card[order[first]][is_fraud]] = True
        listed.append(order[first])
        caught.append(is_fraud)
    if not listed:
        return ListedCards(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.bool_))
    return ListedCards(np.concatenate(listed), np.concatenate(caught))
