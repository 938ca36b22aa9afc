"""One visual language for every figure: fonts, colours, names, number formats, and text that is safe to draw.

What lives here: everything that two figures share. What does not: any figure.

The colours are those of Okabe and Ito, "Color Universal Design" (2008), which people with any common colour vision
can tell apart; a model has one colour everywhere. Fraud is red and genuine is grey wherever the two classes appear.
Every colour that a figure uses is one of those named here, so that `themed` knows its counterpart in the dark.
"""

import json
import textwrap
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import plotly.graph_objects as go

FONT_FAMILY = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
INK = "#1F2933"
MUTED_INK = "#52606D"
GRID = "#E4E7EB"
AXIS = "#9AA5B1"
PAPER = "#FFFFFF"
FRAUD = "#C1272D"
GENUINE = "#7B8794"
RIGHT = "#0072B1"
WRONG = "#C1272E"
WATCH = "#E8A33D"
QUIET = "#EDF0F3"
NEUTRAL = "#5B4B8A"
"""For what is neither a class nor a model's: amounts, alerts, labels."""
BAND = "rgba(123,135,148,0.28)"
"""An interval, on light paper and on dark."""
LABEL_PAPER = "rgba(255,255,255,0.85)"
"""Behind a text that stands on a line."""

DARK: Mapping[str, str] = {
    INK: "#E8ECF0",
    MUTED_INK: "#B4BFCA",
    GRID: "#2C343C",
    AXIS: "#7E8A96",
    PAPER: "#14181D",
    LABEL_PAPER: "rgba(20,24,29,0.85)",
    FRAUD: "#F0605F",
    GENUINE: "#93A1AF",
    RIGHT: "#4BA3E3",
    WRONG: "#F0605E",
    WATCH: "#D08A1E",
    QUIET: "#222930",
    NEUTRAL: "#A99BDD",
    "#0072B2": "#3D9BDC",
    "#009E73": "#1DB98D",
    "#332288": "#8F83E6",
    "#117733": "#4DB870",
    "#882255": "#D678A6",
    "#AA4499": "#CF77C1",
    "#661100": "#CB7F66",
}
"""For each colour that is hard to see on a dark page, the one that takes its place there."""

_LINE = 40
LONGEST_NAME = 32
"""Characters of a name that a legend or an axis has room for."""


class Theme(StrEnum):
    """On what a figure is looked at."""

    LIGHT = "light"
    DARK = "dark"


@dataclass(frozen=True)
class ModelStyle:
    """How one model looks in every figure."""

    name: str
    """For people, and safe to draw: Plotly's pseudo-HTML is escaped."""
    color: str
    dash: str


@dataclass(frozen=True)
class Metric:
    """How one metric is named and written."""

    name: str
    is_share: bool = True
    """Between 0 and 1, so that its axis shows that whole range."""
    is_better_higher: bool = True
    is_amount: bool = False
    """In the unit of the amounts: written without decimals."""


_MODELS = {
    "logistic_regression": ("Logistic regression", "#E69F00", "solid"),
    "support_vector_machine": ("Support vector machine", "#CC79A7", "solid"),
    "k_nearest_neighbors": ("k-nearest neighbours", "#56B4E9", "solid"),
    "random_forest": ("Random forest", "#009E73", "solid"),
    "gradient_boosting": ("Gradient boosting", "#0072B2", "solid"),
    "ensemble": ("Ensemble", "#D55E00", "solid"),
    "baseline_amount": ("Baseline: amount", "#52606D", "7px,4px"),
    "baseline_constant": ("Baseline: constant", "#9AA5B1", "2px,3px"),
    "champion": ("Champion", INK, "solid"),
}

# Tol's "muted" scheme, without its greys: for families that are not ours.
_OTHER_COLORS = ("#332288", "#117733", "#882255", "#999933", "#44AA99", "#AA4499", "#661100", "#6699CC")
_OTHER_DASHES = ("solid", "longdash", "dashdot")

_METRICS = {
    "average_precision": Metric("Average precision"),
    "daily_average_precision": Metric("Average precision of a day"),
    "roc_auc": Metric("ROC AUC"),
    "daily_roc_auc": Metric("ROC AUC of a day"),
    "precision_at_k": Metric("Precision at k"),
    "recall_at_k": Metric("Recall at k"),
    "card_precision_at_100": Metric("Card precision at 100"),
    "precision": Metric("Precision"),
    "recall": Metric("Recall"),
    "alert_precision": Metric("Precision of the alerts"),
    "alert_recall": Metric("Recall of the alerts"),
    "f1": Metric("F1"),
    "accuracy": Metric("Accuracy"),
    "brier_score": Metric("Brier score", is_share=False, is_better_higher=False),
    "brier_skill": Metric("Brier skill", is_share=False),
    "expected_calibration_error": Metric("Calibration error", is_share=False, is_better_higher=False),
    "saving_per_day": Metric("Saving per day", is_share=False, is_amount=True),
    "expected_saving_per_day": Metric("Expected saving per day", is_share=False, is_amount=True),
    "fit_seconds": Metric("Fit time (s)", is_share=False, is_better_higher=False),
}


def plain(text: object, longest: int | None = None) -> str:
    """Text as it reads, in one line, cut to `longest` characters.

    Plotly takes text for HTML of a kind, so &, < and > are escaped.
    """
    line = " ".join(str(text).split())
    if longest is not None and len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def model_style(model: object) -> ModelStyle:
    """The model's name, colour and dash: fixed for the families that we know, for others always the same by name."""
    key = str(model)
    if key in _MODELS:
        return ModelStyle(*_MODELS[key])
    mark = zlib.crc32(key.encode("utf-8", "replace"))
    color = _OTHER_COLORS[mark % len(_OTHER_COLORS)]
    dash = _OTHER_DASHES[mark // len(_OTHER_COLORS) % len(_OTHER_DASHES)]
    return ModelStyle(plain(_spaced(key), LONGEST_NAME), color, dash)


def metric_style(metric: str) -> Metric:
    """The metric's name and kind; a metric that we do not know is drawn on its own scale, higher taken for better."""
    return _METRICS.get(metric) or Metric(plain(_spaced(metric), LONGEST_NAME), is_share=False)


def _spaced(key: str) -> str:
    words = key.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else "(no name)"


def number(value: float) -> str:
    """A metric as people read it: three decimals for most shares, else three significant digits; "n/a" for NaN."""
    if value != value:  # NaN is the only number that differs from itself
        return "n/a"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3f}" if value == 0 or 0.01 <= abs(value) <= 1 else f"{value:.3g}"


def money(value: float) -> str:
    """An amount as people read it, without decimals from 100 on; the unit is that of the data. "n/a" for NaN."""
    if value != value:
        return "n/a"
    return f"{value:,.0f}" if abs(value) >= 100 or value == 0 else f"{value:,.3g}"


def written(metric: str, value: float) -> str:
    """A metric's value as people read it."""
    return money(value) if metric_style(metric).is_amount else number(value)


def share(value: float) -> str:
    """A share as a percentage with three significant digits, "0.872%"; "n/a" for NaN."""
    if value != value:
        return "n/a"
    # Rounding must not turn "nearly all" into "all": 99.98% stays itself, as people read 100% as none missing.
    return f"{100 * value:.{4 if 0.9995 <= value < 1 else 3}g}%"


def count(value: int, noun: str) -> str:
    """`1,240 alerts`, `1 alert`."""
    return f"{value:,} {noun}" if value == 1 else f"{value:,} {noun}s"


TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": FONT_FAMILY, "size": 14, "color": INK},
        "title": {
            "x": 0.016,
            "xref": "container",
            "xanchor": "left",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 34},
            "font": {"size": 20, "color": INK},
        },
        "paper_bgcolor": PAPER,
        "plot_bgcolor": PAPER,
        "margin": {"l": 76, "r": 24, "t": 88, "b": 64},
        "colorway": [color for _, color, _ in _MODELS.values()],
        "legend": {
            "x": 1.02,
            "y": 1,
            "xanchor": "left",
            "yanchor": "top",
            "bgcolor": "rgba(0,0,0,0)",
            "font": {"size": 13},
            "title": {"font": {"size": 13, "color": MUTED_INK}},
            "itemsizing": "constant",
            "tracegroupgap": 0,
        },
        "hoverlabel": {"font": {"family": FONT_FAMILY, "size": 13}, "namelength": -1},
        "hovermode": "closest",
        **{
            axis: {
                "gridcolor": GRID,
                "linecolor": AXIS,
                "showline": True,
                "ticks": "outside",
                "ticklen": 5,
                "tickcolor": AXIS,
                "zeroline": False,
                "automargin": True,
                "title": {"standoff": 12, "font": {"size": 14, "color": MUTED_INK}},
            }
            for axis in ("xaxis", "yaxis")
        },
    }
)


def styled_figure(title: str, subtitle: str = "") -> go.Figure:
    """An empty figure in our style. Both texts are drawn as they are: names in them must have passed `plain`."""
    # Told at once: a figure that is made without a template first takes Plotly's own, which is large.
    return go.Figure(layout={"template": TEMPLATE, "title": {"text": heading(title, subtitle)}})


def heading(title: str, subtitle: str = "") -> str:
    """Title and, below it and smaller, subtitle: closer together than Plotly's own subtitle stands."""
    if not subtitle:
        return title
    return f"{title}<br><span style='font-size:14px;color:{MUTED_INK}'>{subtitle}</span>"


def nothing_to_draw(title: str, sentence: str) -> go.Figure:
    """A figure with its title and, where the data would be, one sentence that says why there is none."""
    figure = styled_figure(title)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    return say(figure, sentence)


def neutral_key(name: str) -> go.Scatter:
    """A legend entry for marks that take their model's colour: the legend would show the first one's."""
    return go.Scatter(name=name, x=[None], y=[None], mode="markers", marker={"color": MUTED_INK, "size": 10})


def say(figure: go.Figure, sentence: str) -> go.Figure:
    """The figure with one sentence, as safe text, in the middle of its plot: in lines that fit a phone's width."""
    font = {"size": 15, "color": MUTED_INK}
    lines = "<br>".join(textwrap.wrap(sentence, _LINE, break_long_words=False, break_on_hyphens=False))
    return figure.add_annotation(text=lines, x=0.5, y=0.5, xref="paper", yref="paper", showarrow=False, font=font)


def themed(figure: go.Figure, theme: Theme) -> go.Figure:
    """A copy of the figure in the colours of a theme; nothing but colours differs.

    `figure` is in the colours that all figures are made in, the light ones. Those of `DARK` change, wherever they
    stand: in traces, axes, shapes and within texts.
    """
    return go.Figure(json.loads(in_theme(figure.to_json(), theme)))


def in_theme(text: str, theme: Theme) -> str:
    """The JSON of a figure in the colours of a theme, as in `themed`, without making a figure of it."""
    if theme is Theme.DARK:
        for light, dark in DARK.items():
            text = text.replace(light, dark)
    return text
