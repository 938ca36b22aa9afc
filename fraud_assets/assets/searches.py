"""What searches have tried, as a frame for figures and as text for people."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

Search = Sequence[Mapping[str, Any]]
"""A record for each configuration: parameters, average_precision, fold_1 and so on, failure (`Candidate.search`)."""


def search_frame(searches: Mapping[str, Search]) -> pd.DataFrame:
    """A row for each configuration: candidate, configuration (text), average_precision, fold_1 and so on, failure.

    Scores are float64, NaN where a configuration did not come that far. Without any there are no rows and no columns.
    """
    records = [
        {"candidate": candidate, "configuration": written(tried["parameters"]), **_without_parameters(tried)}
        for candidate, search in searches.items()
        for tried in search
    ]
    frame = pd.DataFrame(records)
    scores = [name for name in frame.columns if name == "average_precision" or str(name).startswith("fold_")]
    return frame.astype(dict.fromkeys(scores, "float64"))


def written(parameters: Mapping[str, Any]) -> str:
    """A configuration in one line."""
    return ", ".join(f"{name}={setting}" for name, setting in parameters.items())


def _without_parameters(tried: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in tried.items() if name != "parameters"}
