"""The first thing that a report says: the decision in one sentence, and the numbers of the day."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from fraud_assets.reporting.day.frames import DayFrames, first_record, model_name
from fraud_assets.reporting.sections import NONE
from fraud_assets.reporting.style import count, number, share


@dataclass(frozen=True)
class Tile:
    """One number of the day: what it is, its value as people read it, and what belongs to it."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Headline:
    """What stands above the sections."""

    decision: str
    tiles: tuple[Tile, ...]


def day_headline(frames: DayFrames) -> Headline:
    """The decision, and five numbers; what is not known yet is a dash, and says why."""
    told = frames.told
    decision = told.get("decision") or "No model has been decided on for this day yet."
    tiles = (_precision(told), _alerts(told), _saving(told), _fraud_rate(told), _live(frames))
    return Headline(str(decision), tiles)


def written_day(day: str) -> str:
    """Saturday, 21 July 2018; a day that is none as it stands."""
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{parsed:%A}, {parsed.day} {parsed:%B %Y}"


def _precision(told: dict[str, Any]) -> Tile:
    name = "Average precision"
    score, low, high = (told.get(key) for key in ("score", "score_low", "score_high"))
    if score is None:
        return Tile(name, NONE, "not measured")
    interval = "" if low is None or high is None else f"95 %: {low:.3f} to {high:.3f}, "
    model = "" if told.get("family") is None else f"{model_name(told['family'])}, "
    return Tile(name, number(float(score)), f"{model}{interval}on the validation days")


def _alerts(told: dict[str, Any]) -> Tile:
    alerts = told.get("alerts")
    if alerts is None:
        return Tile("Alerts", NONE, "the day is not scored")
    of = "" if told.get("transactions") is None else f"of {count(int(told['transactions']), 'transaction')}"
    lowest = told.get("lowest_alert_score")
    return Tile("Alerts", f"{int(alerts):,}", of if lowest is None else f"{of}, from a score of {lowest:.3f}")


def _saving(told: dict[str, Any]) -> Tile:
    saving, amount = told.get("expected_saving"), told.get("alerted_amount")
    if saving is None:
        return Tile("Expected saving", NONE, "the day is not scored")
    note = "by the alerts' own scores" if amount is None else f"of {amount:,.0f} in the alerts, by their own scores"
    return Tile("Expected saving", f"{saving:,.0f}", note)


def _fraud_rate(told: dict[str, Any]) -> Tile:
    rate, day = told.get("fraud_rate"), told.get("labelled_day")
    if rate is None:
        return Tile("Fraud rate", NONE, "no label is known" if day is None else f"no label of {day} is known")
    frauds = "" if told.get("frauds") is None else f"{count(int(told['frauds']), 'fraud')} on {day}, "
    return Tile("Fraud rate", share(float(rate)), f"{frauds}the newest labelled day")


def _live(frames: DayFrames) -> Tile:
    name = "Live, against the promise"
    row = first_record(frames.today("live"))
    live = row.get("average_precision")
    if live is None:
        return Tile(name, NONE, str(row.get("reason") or "no scored day has labels yet"))
    promised, is_kept = row.get("promised_average_precision"), row.get("is_average_precision_as_promised")
    against = "nothing was promised"
    if promised is not None:
        verdict = "above" if live > promised else "below"
        how = "" if is_kept is None else ", as promised" if is_kept else f", {verdict} what was promised"
        against = f"promised {promised:.3f}{how}"
    return Tile(name, number(float(live)), f"average precision of {row['scored_date']}; {against}")
