"""Sections on how things turned out: live performance, labels, slices of the validation days, and today's alerts."""

import pandas as pd

from fraud_assets.reporting.day.frames import DayFrames, Group, Missing, Piece, first_record, named, section
from fraud_assets.reporting.figures.alerts import alerts_of_day
from fraud_assets.reporting.figures.live import promise_and_live
from fraud_assets.reporting.figures.maturity import label_maturity
from fraud_assets.reporting.figures.slices import by_slice
from fraud_assets.reporting.sections import Section

MOST_ALERTS = 20
DAY, BAND = "day", "amount_band"

_ALERTS = {
    "rank": "Rank",
    "transaction_id": "Transaction",
    "transaction_time": "Time",
    "customer_id": "Customer",
    "terminal_id": "Terminal",
    "amount": "Amount",
    "score": "Score",
    "reason_1": "First reason",
    "reason_2": "Second reason",
    "reason_3": "Third reason",
}
_IDS = ("Transaction", "Customer", "Terminal")


def outcome(frames: DayFrames) -> list[Piece]:
    """Promise against live, label maturity."""
    maturity = frames.today("maturity") if "day" in frames.maturity else frames.maturity
    return [
        Missing.of("Promise against live performance", "live_performance")
        if frames.today("live").empty
        else _live(frames),
        Missing.of("Label maturity", "label_maturity") if maturity.empty else _maturity(frames, maturity),
    ]


def slices(frames: DayFrames) -> list[Piece]:
    """The model in use by amount band, by each segment, and by validation day."""
    found = frames.today("slices")
    if found.empty:
        return [Missing.of("Performance by segment and amount band", "evaluation_slices")]
    candidate = frames.candidate
    if candidate is None:
        return []
    of_one = found[found["candidate"] == candidate]
    kinds = list(dict.fromkeys(of_one["slice_kind"].astype("str")))
    order = [*(kind for kind in (BAND,) if kind in kinds), *(k for k in kinds if k not in (BAND, DAY))]
    order += [DAY] if DAY in kinds else []
    anchors = [f"by-{'-'.join(_plain_words(kind))}" for kind in order]
    # Two segments may be the same in plain letters.
    anchors = [f"{name}-{place}" if anchors.count(name) > 1 else name for place, name in enumerate(anchors, 1)]
    rows = (of_one[of_one["slice_kind"] == kind] for kind in order)
    return [_by_slice(frames, *about) for about in zip(rows, order, anchors, strict=True)]


def alerts(frames: DayFrames) -> list[Piece]:
    """The day's alerts in a figure, and the highest of them with their reasons."""
    total = frames.told.get("alerts") if frames.alerts_total is None else frames.alerts_total
    if frames.alerts.empty:
        if total == 0:
            sentence = "No transaction of the day is an alert."
            return [section(Group.ALERTS, "Today's alerts", sentence, None, None, "alerts")]
        return [Missing.of("Today's alerts", "scored_batch")]
    ranked = frames.alerts.sort_values("rank", ignore_index=True)
    return [_drawn(ranked, len(ranked) if total is None else int(total)), _listed(ranked)]


def _live(frames: DayFrames) -> Piece:
    live = frames.until_today("live")
    today = first_record(frames.today("live"))
    value, promised = today.get("average_precision"), today.get("promised_average_precision")
    sentence = "What each day's scores turned out to be worth once labels were known, and what validation promised."
    if value is not None and promised is not None:
        sentence += f" The newest, {today['scored_date']}: {value:.3f}, promised {promised:.3f}."
    elif today.get("reason") is not None:
        sentence += f" {today['reason']}"
    table = named(
        live.sort_values("scored_date", ascending=False),
        scored_date="Scored day",
        average_precision="Average precision",
        promised_average_precision="Promised",
        promised_average_precision_low="From (95 %)",
        promised_average_precision_high="To (95 %)",
        alerts="Alerts",
        alert_precision="Precision of alerts",
        alert_recall="Recall of alerts",
        saving_per_day="Saved",
        reason="Why not, or not all",
    )
    figure = promise_and_live(live)
    return section(Group.OUTCOME, "Validation promise against live performance", sentence, figure, table, "live")


def _maturity(frames: DayFrames, maturity: pd.DataFrame) -> Piece:
    table = named(
        maturity, age_days="Age (days)", labels_known="Share of labels known", frauds_known="Share of frauds known"
    )
    delay = frames.label_delay_days
    after = "" if delay is None else f" The model takes them as known after {delay} days."
    return section(
        Group.OUTCOME,
        "Label maturity",
        f"By which age of a transaction its label was known.{after}",
        label_maturity(maturity, delay),
        table,
        "maturity",
    )


def _by_slice(frames: DayFrames, found: pd.DataFrame, kind: str, anchor: str) -> Section:
    what = {BAND: "amount band", DAY: "validation day"}.get(kind, kind)
    where = "on each validation day" if kind == DAY else f"in each {what}, over the validation days"
    table = named(
        found,
        slice=what.capitalize(),
        rows="Transactions",
        frauds="Frauds",
        average_precision="Average precision",
        precision_at_k="Precision at k",
        recall="Recall at the threshold",
        precision="Precision at the threshold",
        saving_per_day="Saving a day",
    )
    return section(
        Group.SLICES,
        f"By {what}",
        f"How {frames.whose} does {where}, and how many transactions and frauds that is about.",
        by_slice(found, kind, str(frames.candidate)),
        table,
        anchor,
    )


def _plain_words(text: str) -> list[str]:
    """For an anchor: a segment may be called anything."""
    return "".join(letter if letter.isascii() and letter.isalnum() else " " for letter in text).lower().split() or ["x"]


def _drawn(ranked: pd.DataFrame, total: int) -> Section:
    which = f"{len(ranked):,} alerts" if total <= len(ranked) else f"The {len(ranked):,} highest of {total:,} alerts,"
    sentence = (
        f"{which} over {float(ranked['amount'].sum()):,.2f}: the higher an alert's score and amount, the more there is "
        "to lose."
    )
    table = _told(ranked, "rank", "transaction_id", "amount", "score")
    return section(Group.ALERTS, "Scores and amounts of the alerts", sentence, alerts_of_day(ranked), table, "alerts")


def _listed(ranked: pd.DataFrame) -> Section:
    table = _told(ranked.head(MOST_ALERTS), *_ALERTS)
    sentence = f"The {len(table)} highest of {len(ranked):,}, and what made each score high."
    return section(Group.ALERTS, "The highest alerts", sentence, None, table, "highest-alerts")


def _told(ranked: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Those of the columns that there are, as readers see them: an id is a name, also where it is a number."""
    table = ranked[[name for name in columns if name in ranked.columns]].rename(columns=_ALERTS)
    for name in _IDS:
        if name in table:
            table[name] = table[name].astype("str")
    return table.assign(Amount=[f"{float(amount):,.2f}" for amount in table["Amount"]])
