"""A model's name is text, whatever is in it: in no figure does it become markup or a template."""

from collections.abc import Callable

import plotly.graph_objects as go
import pytest

from fraud_assets.reporting.comparison import model_comparison
from fraud_assets.reporting.curves import precision_recall, roc
from fraud_assets.reporting.distributions import confusion, score_distribution
from fraud_assets.reporting.history import metric_history
from fraud_assets_tests.reporting.frames import HOSTILE, evaluation, four_rows, history_of, said, texts

FIGURES: dict[str, Callable[[], go.Figure]] = {
    "precision_recall": lambda: precision_recall(four_rows(HOSTILE), {HOSTILE: 0.75}),
    "roc": lambda: roc(four_rows(HOSTILE), {HOSTILE: 0.75}),
    "score_distribution": lambda: score_distribution(four_rows(HOSTILE), HOSTILE, 0.75),
    "score_distribution, empty": lambda: score_distribution(four_rows().iloc[:0], HOSTILE),
    "confusion": lambda: confusion(four_rows(HOSTILE), HOSTILE, 0.75),
    "metric_history": lambda: metric_history(history_of({HOSTILE: {"2018-07-01": 0.5}})),
    "model_comparison": lambda: model_comparison(evaluation().assign(model=HOSTILE)),
}


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_hostile_name_is_drawn_as_text(draw: Callable[[], go.Figure]) -> None:
    figure = draw()
    assert "<script" not in said(figure)
    assert "&lt;script&gt;" in said(figure)
    templates = [trace.hovertemplate or "" for trace in figure.data]
    assert not [text for text in texts(templates) if "script" in text]
