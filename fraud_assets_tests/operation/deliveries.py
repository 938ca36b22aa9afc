"""What a payment processor delivers: a file of transactions and a file of labels for each day, on time or not.

Pure of any database: what is stored is compared with what these files say.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

TRANSACTIONS = 240
BAD_EVERY_DAYS = 5
"""On each so manieth day one row has no amount that can be read."""
USUAL_LAG, LATE_LAG = timedelta(days=2), timedelta(days=6)
DRIFT_FACTOR = 6.0


@dataclass(frozen=True)
class Deliveries:
    """A landing folder and a label feed. Days are those of `zone`."""

    folder: Path
    zone: ZoneInfo
    first: date
    late_labels: Collection[date] = ()
    """Frauds of these days become known days later than others."""
    silent: Collection[date] = ()
    """On these days the label feed has nothing to say; it follows on the day after."""
    drifts_from: date = date.max
    """From this day on amounts are larger by a factor."""

    @property
    def landing(self) -> Path:
        return self.folder / "landing"

    @property
    def chargebacks(self) -> Path:
        return self.folder / "chargebacks"

    def settings(self) -> str:
        """The sections of a `fraud.toml` that read these files."""
        return f"""
[source]
kind = "files"
folder = "{self.landing}"
pattern = "{{date}}.csv"
[source.columns]
transaction_id = "id"
timestamp = "time"
timestamp_timezone = "UTC"
amount = "eur"
customer = "card"
terminal = "shop"
[labels]
kind = "files"
folder = "{self.chargebacks}"
pattern = "{{date}}.csv"
transaction_id = "id"
label = "fraud"
known_at = "known_at"
known_at_timezone = "UTC"
"""

    def deliver(self, day: date) -> None:
        """Both files of a day."""
        self.deliver_transactions(day)
        self.deliver_labels(day)

    def deliver_transactions(self, day: date, *, corrected: bool = False) -> None:
        frame = self.transactions(day)
        if corrected:
            frame = self.as_corrected(frame)
        written = frame.astype({"eur": object}).drop(columns=["fraud"])
        written.loc[self.unreadable(day), "eur"] = "a lot"
        _write(written, self.landing / f"{day}.csv")

    def deliver_labels(self, day: date) -> None:
        """What became known that day; a header alone where that is nothing."""
        _write(self.labels(day), self.chargebacks / f"{day}.csv")

    def transactions(self, day: date) -> pd.DataFrame:
        """id, time (naive, UTC), eur, card, shop, and fraud, which is in no file of the day."""
        rng = np.random.default_rng(day.toordinal())
        start, end = self._bounds(day)
        times = start + pd.to_timedelta(np.sort(rng.integers(0, int((end - start).total_seconds()), TRANSACTIONS)), "s")
        shop = rng.integers(0, 12, TRANSACTIONS)
        fraud = (rng.random(TRANSACTIONS) < np.where(shop == 4, 0.5, 0.03)).astype(int)
        amount = rng.lognormal(3, 0.6, TRANSACTIONS) * np.where(fraud == 1, 2.5, 1)
        return pd.DataFrame(
            {
                "id": [f"{day:%m%d}-{number:03}" for number in range(TRANSACTIONS)],
                "time": times,
                "eur": (amount * (DRIFT_FACTOR if day >= self.drifts_from else 1)).round(2),
                "card": rng.integers(0, 40, TRANSACTIONS),
                "shop": shop,
                "fraud": fraud,
            }
        )

    def as_corrected(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A day's transactions, with one card's amounts as they should have been."""
        return frame.assign(eur=(frame["eur"] + 400 * (frame["card"] == 3)).round(2))

    def unreadable(self, day: date) -> list[int]:
        """The rows of a day's file that are no transactions."""
        return [7] if day.toordinal() % BAD_EVERY_DAYS == 0 else []

    def labels(self, day: date) -> pd.DataFrame:
        """id, fraud, known_at (naive, UTC) of what becomes known on a day."""
        reach = (LATE_LAG.days + len(self.silent) + 1, USUAL_LAG.days - 1)
        before = [day - timedelta(days=back) for back in range(reach[0], reach[1], -1)]
        known = pd.concat([self._known(earlier) for earlier in before if earlier >= self.first] or [_NOTHING])
        start, end = self._bounds(day)
        return known[(known["known_at"] >= start) & (known["known_at"] < end)]

    def _known(self, day: date) -> pd.DataFrame:
        """When the labels of a day's transactions become known."""
        frame = self.transactions(day).drop(index=self.unreadable(day))
        is_late = (frame["fraud"] == 1) & (day in self.late_labels)
        known_at = frame["time"] + pd.to_timedelta(np.where(is_late, LATE_LAG.days, USUAL_LAG.days), "D")
        if self.silent:
            start, _ = self._bounds(min(self.silent))
            _, end = self._bounds(max(self.silent))
            known_at = known_at.mask((known_at >= start) & (known_at < end), end + pd.Timedelta(hours=1))
        return frame.assign(known_at=known_at)[["id", "fraud", "known_at"]]

    def _bounds(self, day: date) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The day's first instant and the next day's, naive in UTC."""
        start, end = (
            pd.Timestamp(bound).tz_localize(self.zone).tz_convert("UTC").tz_localize(None)
            for bound in (day, day + timedelta(days=1))
        )
        return start, end


_NOTHING = pd.DataFrame({"id": [], "fraud": [], "known_at": pd.to_datetime([])})


def _write(frame: pd.DataFrame, file: Path) -> None:
    """As whoever delivers over a network does: under another name until it is whole."""
    file.parent.mkdir(exist_ok=True)
    part = file.with_suffix(".part")
    frame.to_csv(part, index=False)
    part.rename(file)
