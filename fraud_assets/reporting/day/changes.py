"""Sections on what has changed: the decision, the candidates, the search, the days before, features and their drift."""

from typing import Any

import pandas as pd

from fraud_assets.reporting.day.frames import DayFrames, Group, Missing, Piece, model_name, named, section
from fraud_assets.reporting.figures.comparison import model_comparison
from fraud_assets.reporting.figures.drift import drift_heat_map
from fraud_assets.reporting.figures.history import metric_history
from fraud_assets.reporting.figures.importance import feature_importance
from fraud_assets.reporting.figures.search import search_results
from fraud_assets.reporting.figures.volume import volume

METRIC = "average_precision"

_FACTS = {
    "decision_kind": "Kind of decision",
    "family": "Recipe in use",
    "challenger": "Challenger",
    "score": "Average precision",
    "score_low": "From (95 %)",
    "score_high": "To (95 %)",
    "threshold": "Threshold",
    "searched_on": "Parameters found on",
    "trained_from": "Trained from",
    "trained_until": "Trained until",
}
_MODELS = ("Recipe in use", "Challenger")
_TIMES = ("Trained from", "Trained until")
_METRICS = {
    "average_precision": "Average precision",
    "average_precision_low": "From (95 %)",
    "average_precision_high": "To (95 %)",
    "roc_auc": "ROC AUC",
    "precision_at_k": "Precision at k",
    "recall_at_k": "Recall at k",
    "card_precision_at_100": "Card precision at 100",
    "brier_skill": "Brier skill",
    "expected_calibration_error": "Calibration error",
    "saving_per_day": "Saving a day",
    "failure": "Failure",
}


def changes(frames: DayFrames) -> list[Piece]:
    """Decision, candidates compared, metrics over time, search, volume, drift, importance."""
    evaluation, importance = frames.today("evaluation"), frames.today("importance")
    drift = frames.until_today("drift")
    return [
        _decision(frames),
        Missing.of("Candidates compared", "evaluation_table") if evaluation.empty else _compared(evaluation),
        *([] if frames.until_today("evaluation").empty else [_history(frames)]),
        # Without a summary it is not known whether anything had to be searched.
        *([_search(frames)] if frames.told else []),
        *([] if frames.until_today("summary").empty else [_volume(frames)]),
        Missing.of("Drift", "feature_drift") if frames.today("drift").empty else _drift(frames, drift),
        Missing.of("Feature importance", "feature_importance") if importance.empty else _importance(importance),
    ]


def _decision(frames: DayFrames) -> Piece:
    told = frames.told
    if told.get("decision") is None:
        return Missing.of("The decision which model to use", "best_model, and then performance_report,")
    known = {heading: told[name] for name, heading in _FACTS.items() if told.get(name) is not None}
    table = pd.DataFrame({"Fact": list(known), "Value": [_written(*fact) for fact in known.items()]})
    return section(Group.CHANGES, "The decision", str(told["decision"]), None, table, "decision")


def _written(heading: str, value: Any) -> str:
    if heading in _MODELS:
        return model_name(value)
    if heading in _TIMES:
        return str(value).replace("T", " ")
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _compared(evaluation: pd.DataFrame) -> Piece:
    table = named(evaluation, candidate="Model", **_METRICS)
    if "Failure" in table and table["Failure"].isna().all():
        table = table.drop(columns="Failure")
    return section(
        Group.CHANGES,
        "Candidates compared",
        "Every candidate and two naive baselines on the same validation days, none of which any of them has learned "
        "from.",
        model_comparison(evaluation),
        table,
        "candidates",
    )


def _history(frames: DayFrames) -> Piece:
    evaluation = frames.until_today("evaluation")
    by_day = evaluation.pivot_table(index="day", columns="candidate", values=METRIC, aggfunc="last", observed=True)
    newest_first = by_day.sort_index(ascending=False).rename(columns=model_name).rename_axis(None, axis="columns")
    days = len(by_day)
    return section(
        Group.CHANGES,
        "Average precision over time",
        f"What each candidate reached on its own validation days, over the last {days:,} days that have an evaluation."
        if days > 1
        else "What each candidate reached on its validation days; earlier days have no evaluation yet.",
        metric_history(evaluation, frames.until_today("summary"), METRIC),
        newest_first.reset_index().rename(columns={"day": "Day"}),
        "history",
    )


def _search(frames: DayFrames) -> Piece:
    search, searched_on = frames.search, frames.told.get("searched_on")
    if search.empty:
        if searched_on is not None and searched_on != frames.day:
            sentence = f"Nothing was searched today: the parameters in use are those found on {searched_on}."
            return section(Group.CHANGES, "Search results", sentence, None, None, "search")
        return Missing.of("Search results", "candidate_models")
    folds = {name: name.replace("fold_", "Fold ") for name in search.columns if name.startswith("fold_")}
    table = named(
        search, candidate="Model", configuration="Configuration", average_precision="Average precision", **folds
    )
    return section(
        Group.CHANGES,
        "Search results",
        "The configurations that were tried today and what each reached on inner folds of the training days; one that "
        "fell behind is not tried on all of them.",
        search_results(search),
        table,
        "search",
    )


def _volume(frames: DayFrames) -> Piece:
    summary = frames.until_today("summary")
    table = named(
        summary.sort_values("day", ascending=False),
        day="Day",
        transactions="Transactions",
        amount_total="Amount",
        rejected="Rejected rows",
        alerts="Alerts",
        labelled_day="Labelled day",
        frauds="Frauds",
        fraud_rate="Fraud rate",
        fraud_amount="Fraudulent amount",
    )
    return section(
        Group.CHANGES,
        "Volume, fraud rate and amount at stake",
        "Transactions of each day, and the frauds of the newest day whose labels were known by then.",
        volume(summary),
        table,
        "volume",
    )


def _drift(frames: DayFrames, drift: pd.DataFrame) -> Piece:
    today = frames.today("drift")
    levels = today["level"].value_counts()
    drifted = sorted(today.loc[today["level"] == "drift", "subject"].astype("str"))
    sentence = (
        f"{len(drifted)} of {len(today)} subjects have drifted today and {int(levels.get('watch', 0))} are to be "
        "watched: how far each day is from the days that its model has learned from."
    )
    if drifted:
        sentence += f" Drifted: {', '.join(drifted[:5])}{' and others' if len(drifted) > 5 else ''}."
    by_day = drift.pivot_table(index="subject", columns="day", values="psi", aggfunc="last", dropna=False)
    by_day = by_day[sorted(by_day.columns, reverse=True)].rename_axis(None, axis="columns")
    table = named(today, subject="Subject", level="Level today", psi_by_chance="Index by chance", note="Note")
    table = table.merge(by_day.reset_index(names="Subject"), on="Subject", how="left")
    figure = drift_heat_map(drift)
    return section(Group.CHANGES, "Drift of features, score and fraud rate", sentence, figure, table, "drift")


def _importance(importance: pd.DataFrame) -> Piece:
    table = named(importance, feature="Feature", importance="Importance", standard_deviation="Standard deviation")
    recipe = model_name(importance["recipe"].iloc[0]) if "recipe" in importance else "the best recipe"
    return section(
        Group.CHANGES,
        "Feature importance",
        f"How much average precision {recipe} loses on the validation days when the values of one feature are "
        "shuffled.",
        feature_importance(importance),
        table,
        "importance",
    )
