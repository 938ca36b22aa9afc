"""Sections on whether the day's model is good, and what it costs or saves: all from the validation days."""

import pandas as pd

from fraud_assets.reporting.day.frames import (
    DayFrames,
    Group,
    Missing,
    Piece,
    first_record,
    model_name,
    named,
    section,
    thinned,
)
from fraud_assets.reporting.figures.alerting import by_alerts_per_day, saving_by_threshold
from fraud_assets.reporting.figures.calibration import reliability
from fraud_assets.reporting.figures.curves import precision_recall, roc
from fraud_assets.reporting.figures.distributions import confusion, score_distribution
from fraud_assets.reporting.style import share

POINTS_OF_EACH = 20
POINTS_OF_ONE = 40
_POINTS = "operating_points"


def quality(frames: DayFrames) -> list[Piece]:
    """Precision and recall, ROC, alerts per day, calibration."""
    points = frames.today_points
    bins = frames.today("bins")
    pieces: list[Piece] = []
    if points.empty:
        pieces.append(Missing.of("Precision and recall, ROC, alerts per day", _POINTS))
    else:
        pieces += [_precision_recall(frames, points), _roc(frames, points), _alerts_per_day(frames, points)]
    pieces.append(Missing.of("Calibration", "calibration_bins") if bins.empty else _calibration(bins))
    return pieces


def cost(frames: DayFrames) -> list[Piece]:
    """Saving by threshold, confusion at the threshold, score distribution, of the model in use."""
    what = "Saving by threshold, confusion, score distribution"
    if frames.today_points.empty:
        return [Missing.of(what, _POINTS)]
    if frames.candidate is None:
        return [Missing(what, "No candidate has a threshold and a measured score on this day; see why each failed.")]
    of_one = frames.today_points.query("candidate == @frames.candidate")
    return [_saving(frames, of_one), _confusion(frames, of_one), _distribution(frames, of_one)]


def _precision_recall(frames: DayFrames, points: pd.DataFrame) -> Piece:
    evaluation = frames.today("evaluation")
    table = named(
        thinned(points, POINTS_OF_EACH),
        candidate="Model",
        threshold="Alert from score",
        recall="Recall",
        precision="Precision",
        is_chosen="Its own threshold",
    )
    return section(
        Group.QUALITY,
        "Precision and recall",
        "Of the alerts how many are frauds, and of the frauds how many are alerts, for every threshold on the "
        "validation days: the further to the upper right, the better.",
        precision_recall(points, evaluation),
        table,
        "precision-recall",
    )


def _roc(frames: DayFrames, points: pd.DataFrame) -> Piece:
    table = named(
        thinned(points, POINTS_OF_EACH),
        candidate="Model",
        threshold="Alert from score",
        false_positive_rate="False positive rate",
        recall="Recall",
        is_chosen="Its own threshold",
    )
    return section(
        Group.QUALITY,
        "ROC",
        "The share of frauds that is caught for each share of genuine transactions that is bothered, on the "
        "validation days.",
        roc(points, frames.today("evaluation")),
        table,
        "roc",
    )


def _alerts_per_day(frames: DayFrames, points: pd.DataFrame) -> Piece:
    table = named(
        thinned(points, POINTS_OF_EACH),
        candidate="Model",
        alerts_per_day="Alerts a day",
        precision="Precision",
        recall="Recall",
        saving_per_day="Saving a day",
        is_chosen="Its own threshold",
    )
    limit = "" if frames.alerts_per_day is None else f"; the team looks at {frames.alerts_per_day:,} a day"
    return section(
        Group.QUALITY,
        "Precision and recall by alerts a day",
        f"What more or fewer alerts a day would have brought on the validation days{limit}.",
        by_alerts_per_day(points, frames.alerts_per_day),
        table,
        "alerts-per-day",
    )


def _calibration(bins: pd.DataFrame) -> Piece:
    table = named(
        bins,
        candidate="Model",
        bin="Bin",
        rows="Transactions",
        frauds="Frauds",
        mean_score="Mean score",
        fraud_share="Share of fraud",
        fraud_share_low="From (95 %)",
        fraud_share_high="To (95 %)",
    )
    return section(
        Group.QUALITY,
        "Calibration",
        "Whether a score is the probability that it says it is: on the diagonal it is, above it fraud is more likely "
        "than the score says.",
        reliability(bins),
        table,
        "calibration",
    )


def _saving(frames: DayFrames, points: pd.DataFrame) -> Piece:
    known = points[points["saving_per_day"].notna()]
    chosen = known[known["is_chosen"].astype("bool")]
    at_own = "" if chosen.empty else f", at its own threshold {float(chosen['saving_per_day'].iloc[0]):,.0f}"
    sentence = f"What alerting from a score on would have saved a day, less what the alerts cost, by {frames.whose}"
    if known.empty:
        sentence += ": it is not known, as no amount is."
    else:
        best = first_record(known.nlargest(1, "saving_per_day"))
        sentence += f": at most {best['saving_per_day']:,.0f}, from a score of {best['threshold']:.3f} on{at_own}."
    table = named(
        thinned(points, POINTS_OF_ONE),
        threshold="Alert from score",
        alerts_per_day="Alerts a day",
        frauds_caught="Frauds caught",
        false_alarms="False alarms",
        saving_per_day="Saving a day",
        is_chosen="Its own threshold",
    )
    figure = saving_by_threshold(points, str(frames.candidate))
    return section(Group.COST, "Saving by threshold", sentence, figure, table, "saving")


def _confusion(frames: DayFrames, points: pd.DataFrame) -> Piece:
    everything = points.iloc[-1]
    frauds, genuine = int(everything["frauds_caught"]), int(everything["false_alarms"])
    chosen = points[points["is_chosen"].astype("bool")]
    if chosen.empty:
        return Missing("Confusion at the threshold", f"{model_name(frames.candidate)} has no threshold of its own.")
    caught, alarms = int(chosen["frauds_caught"].iloc[0]), int(chosen["false_alarms"].iloc[0])
    table = pd.DataFrame(
        {
            "On the validation days": ["Fraud", "Genuine"],
            "Alert": [caught, alarms],
            "No alert": [frauds - caught, genuine - alarms],
        }
    )
    sentence = (
        f"{frames.whose} catches {caught:,} of {frauds:,} frauds at its own threshold, and raises {alarms:,} false "
        f"alarms among {genuine:,} genuine transactions ({share(alarms / genuine if genuine else float('nan'))})."
    )
    figure = confusion(points, str(frames.candidate))
    return section(Group.COST, "Confusion at the threshold", sentence, figure, table, "confusion")


def _distribution(frames: DayFrames, points: pd.DataFrame) -> Piece:
    table = named(
        thinned(points, POINTS_OF_ONE),
        threshold="Scores from",
        frauds_caught="Frauds with such a score",
        false_alarms="Genuine with such a score",
        is_chosen="Its own threshold",
    )
    return section(
        Group.COST,
        "Score distribution",
        f"How the scores of frauds and of genuine transactions spread, by {frames.whose}: the less they overlap, the "
        "better.",
        score_distribution(points, str(frames.candidate)),
        table,
        "score-distribution",
    )
