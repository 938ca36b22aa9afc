"""Which features there are, what each is called, and how far back they look.

What lives here: names. What does not: how a feature is computed (compute.py), and scaling, imputing or encoding, which
are fitted and therefore belong to a family's pipeline.
"""

from dataclasses import dataclass
from datetime import timedelta

from fraud_assets.learning.errors import LearningError

WINDOW_DAYS = (1, 7, 30)
"""The handbook's windows of customers and terminals."""
HABIT_DAYS = (7, 30)
"""What is usual for a customer: the days before the transaction that its amount is compared with."""
FRAUD_DAYS = (1, 7, 14, 30)
"""Windows of known frauds, at a terminal and on a customer."""
LARGE_AMOUNT_DAYS = (1, 3, 7, 14)
"""Windows of the customer's own large amounts."""
LARGE_AMOUNT = 3.0
"""An amount is large from this multiple of the customer's habit on."""
LONGEST = max(WINDOW_DAYS)


@dataclass(frozen=True)
class FeatureSpec:
    """What a source's transactions offer to learn from, and when its labels are expected.

    `numeric`, `categorical` and `segments` are the source's own columns; `label_delay` shifts what looks at labels.
    Raises `LearningError` when two features would have the same name.
    """

    has_customer: bool
    has_terminal: bool
    numeric: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    label_delay: timedelta = timedelta(days=7)
    timezone: str = "UTC"
    declined_outcomes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        taken = [*self.identifiers, "is_learnable", "label", *self.names]
        twice = sorted({name for name in taken if taken.count(name) > 1})
        if twice:
            raise LearningError(f"Two features would be called {twice[0]!r}; rename the source's column of that name.")

    @property
    def names(self) -> tuple[str, ...]:
        """The model's input columns, in order."""
        customer = customer_names() if self.has_customer else ()
        terminal = terminal_names() if self.has_terminal else ()
        both = ("is_new_terminal",) if self.has_customer and self.has_terminal else ()
        return ("amount", *self._time_names, *customer, *terminal, *both, *self.numeric, *self.categorical)

    @property
    def identifiers(self) -> tuple[str, ...]:
        """The columns that say which transaction a row is."""
        customer = ("customer_id",) if self.has_customer else ()
        terminal = ("terminal_id",) if self.has_terminal else ()
        return ("transaction_id", "transaction_time", *customer, *terminal)

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the computed frame, in order; a segment that is also something else stands there once."""
        return tuple(dict.fromkeys((*self.identifiers, "is_learnable", *self.segments, *self.names)))

    @property
    def history(self) -> timedelta:
        """How far before the first transaction of interest the windows reach."""
        longest = timedelta(days=LONGEST)
        # Whether an earlier amount was large depends on the habit of that time.
        own = longest + timedelta(days=max(LARGE_AMOUNT_DAYS)) if self.has_customer else timedelta(0)
        labelled = longest + self.label_delay if self.has_customer or self.has_terminal else timedelta(0)
        return max(own, labelled)

    @property
    def _time_names(self) -> tuple[str, ...]:
        # Where windows tell little, the hour has to.
        has_windows = self.has_customer or self.has_terminal
        return ("is_weekend", "is_night") if has_windows else ("is_weekend", "is_night", "hour_of_day")


def customer_names() -> tuple[str, ...]:
    """The features of a transaction that come from its customer's other transactions."""
    return (
        *(name for w in WINDOW_DAYS for name in (f"customer_transactions_{w}d", f"customer_mean_amount_{w}d")),
        *(f"amount_over_customer_mean_{w}d" for w in HABIT_DAYS),
        f"amount_over_customer_typical_{LONGEST}d",
        *(f"customer_large_amounts_{w}d" for w in LARGE_AMOUNT_DAYS),
        "customer_seconds_since_last",
        *fraud_names("customer"),
    )


def terminal_names() -> tuple[str, ...]:
    """The features of a transaction that come from other transactions at its terminal."""
    return (
        *(name for w in WINDOW_DAYS for name in (f"terminal_transactions_{w}d", f"terminal_fraud_share_{w}d")),
        *fraud_names("terminal"),
        "terminal_days_since_first_fraud",
        "terminal_days_since_last_fraud",
        "terminal_transactions_since_last_fraud",
    )


def fraud_names(whose: str) -> tuple[str, ...]:
    return tuple(f"{whose}_frauds_{w}d" for w in FRAUD_DAYS)
