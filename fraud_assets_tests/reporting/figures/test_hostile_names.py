"""A name is text, whatever is in it: in no figure does it become markup or a template, light or dark."""

from collections.abc import Callable

import plotly.graph_objects as go
import pytest

from fraud_assets.reporting.figures import (
    alerting,
    alerts,
    calibration,
    comparison,
    curves,
    distributions,
    drift,
    history,
    importance,
    search,
    slices,
)
from fraud_assets.reporting.style import Theme, themed
from fraud_assets_tests.reporting.frames import (
    HOSTILE,
    drift_history,
    evaluated,
    evaluation_history,
    four_rows,
    importances,
    measured,
    said,
    scored_day,
    searched,
    summaries,
    texts,
)

BINS = measured([0] * 60 + [1], {HOSTILE: [0.1] * 60 + [0.2]})

FIGURES: dict[str, Callable[[], go.Figure]] = {
    "precision_recall": lambda: curves.precision_recall(four_rows(HOSTILE, 0.75)),
    "roc": lambda: curves.roc(four_rows(HOSTILE, 0.75)),
    "by_alerts_per_day": lambda: alerting.by_alerts_per_day(four_rows(HOSTILE, 0.75), 2),
    "saving_by_threshold": lambda: alerting.saving_by_threshold(four_rows(HOSTILE, 0.75), HOSTILE),
    "score_distribution": lambda: distributions.score_distribution(four_rows(HOSTILE, 0.75), HOSTILE),
    "score_distribution, empty": lambda: distributions.score_distribution(four_rows(), HOSTILE),
    "confusion": lambda: distributions.confusion(four_rows(HOSTILE, 0.75), HOSTILE),
    "reliability": lambda: calibration.reliability(BINS.bins),
    "model_comparison": lambda: comparison.model_comparison(evaluated().assign(candidate=HOSTILE)),
    "metric_history": lambda: history.metric_history(evaluation_history(2).assign(candidate=HOSTILE)),
    "metric_history, decision": lambda: history.metric_history(
        evaluation_history(2), summaries(2).assign(decision=HOSTILE, is_promotion=True)
    ),
    "feature_importance": lambda: importance.feature_importance(importances(2).assign(feature=HOSTILE)),
    "drift_heat_map": lambda: drift.drift_heat_map(drift_history(2).assign(subject=HOSTILE)),
    "search_results": lambda: search.search_results(searched(2).assign(candidate=HOSTILE)),
    "search_results, configuration": lambda: search.search_results(searched(2).assign(configuration=HOSTILE)),
    "by_slice": lambda: slices.by_slice(BINS.slices.assign(slice=HOSTILE), "day", HOSTILE),
    "by_slice, kind": lambda: slices.by_slice(BINS.slices, HOSTILE, HOSTILE),
    "alerts_of_day": lambda: alerts.alerts_of_day(scored_day(3).assign(reason_2=HOSTILE, transaction_id=HOSTILE)),
}


@pytest.mark.parametrize("theme", Theme)
@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_hostile_name_is_drawn_as_text(draw: Callable[[], go.Figure], theme: Theme) -> None:
    figure = themed(draw(), theme)
    assert "<script" not in said(figure)
    assert "&lt;script&gt;" in said(figure)
    templates = [trace.hovertemplate or "" for trace in figure.data]
    assert not [text for text in texts(templates) if "script" in text]
