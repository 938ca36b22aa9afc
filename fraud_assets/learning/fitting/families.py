"""The five families of candidates: what each is made of; and recipes, which say how to make one.

What lives here: pipelines, unfitted, with their scaling, imputing and encoding inside. What does not: the parameters
that they try (spaces.py), the ensemble of them (ensemble.py), fitting and searching (candidates.py, search.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, SplineTransformer, StandardScaler

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting import spaces
from fraud_assets.learning.fitting.estimators import (
    CappedNeighborsClassifier,
    EmptyColumnFiller,
    PlattScaledClassifier,
    RadialSVC,
    SamplingClassifier,
)
from fraud_assets.learning.fitting.spaces import JsonScalar, Parameters
from fraud_assets.learning.fitting.tails import TailCodes

__all__ = [
    "ENSEMBLE",
    "FAMILIES",
    "Family",
    "JsonScalar",
    "Layout",
    "Parameters",
    "Recipe",
    "known_family",
    "make_classifier",
]

ENSEMBLE = "ensemble"

# Rarer categories share one place; histogram boosting takes at most 255.
RARE_CATEGORY_SHARE = 0.001
MOST_CATEGORIES = 100
MOST_ONE_HOT_COLUMNS = 20
# What a linear model knows of 80,000 rows it knows of more; with splines, each row is hundreds of numbers.
MOST_LINEAR_ROWS = 80_000
# The cost of a tree grows faster than its rows.
MOST_FOREST_ROWS = 100_000
TREES = 60
FOREST_PARTS = 4
SPLINE_DEGREE = 3
# In standard deviations, further than any fitted row can be: what a later row is beyond that only overflows distances.
FURTHEST = 1e6


@dataclass(frozen=True)
class Recipe:
    """All that is needed to fit the same kind of model on other rows. Recipes compete, not fitted objects.

    Equal recipes fit the same model on the same rows. An ensemble's `members` are the recipes that it averages, and
    its `parameters` the weight of each member's log-odds, by family.
    """

    family: str
    parameters: Parameters
    features: tuple[str, ...]
    categorical: tuple[str, ...] = ()
    members: tuple["Recipe", ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A dict that JSON can hold, and `from_json` can read."""
        return asdict(self) | {
            "parameters": dict(self.parameters),
            "features": list(self.features),
            "categorical": list(self.categorical),
            "members": [member.as_json() for member in self.members],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            family=document["family"],
            parameters=dict(document["parameters"]),
            features=tuple(document["features"]),
            categorical=tuple(document["categorical"]),
            members=tuple(cls.from_json(member) for member in document.get("members", ())),
        )


@dataclass(frozen=True)
class Layout:
    """Which columns of the matrix are numbers and which are codes of categories, by position."""

    numeric: tuple[int, ...]
    categorical: tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """How a family is built from parameters, which it tries, and how many rows its cost allows.

    `is_slow` families fit at most `SearchBudget.max_slow_rows` rows, others at most `most_rows` (None: all). A forest
    is fitted on a whole window in as many `parts` with as many trees each, so that no core waits for the last forest.
    """

    build: Callable[[Mapping[str, Any], Layout, int], Any]
    configurations: tuple[Parameters, ...]
    is_slow: bool = False
    most_rows: int | None = None
    parts: int = 1


def make_classifier(
    family: str, parameters: Parameters, layout: Layout, max_rows: int | None, seed: int
) -> SamplingClassifier:
    """The unfitted classifier of a family on a numeric matrix, fitted on at most `max_rows` of its rows.

    Raises `LearningError` for a family that does not exist.
    """
    own: dict[str, Any] = dict(parameters)
    sampling = {name: own.pop(name) for name in ("genuine_per_fraud", "fraud_weight", "bags") if name in own}
    return SamplingClassifier(
        known_family(family).build(own, layout, seed), max_rows=max_rows, random_state=seed, **sampling
    )


def known_family(name: str) -> Family:
    """The family of that name, or `LearningError` with the names that there are."""
    if name not in FAMILIES:
        raise LearningError(f"There is no family {name!r}; choose from {', '.join((*FAMILIES, ENSEMBLE))}.")
    return FAMILIES[name]


def _scaled(layout: Layout, knots: int | None = None) -> ColumnTransformer:
    """Imputed, bent by splines if `knots` are given, and scaled; categories one-hot."""
    # Imputing has made a copy, which may be scaled in place.
    steps: list[Any] = [SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler(copy=False)]
    if knots is None:
        steps.append(FunctionTransformer(within_reach))
    else:
        splines = SplineTransformer(
            n_knots=knots, degree=SPLINE_DEGREE, knots="quantile", extrapolation="constant", include_bias=False
        )
        steps.insert(1, splines)
    numbers = make_pipeline(*steps)
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=RARE_CATEGORY_SHARE,
        max_categories=MOST_ONE_HOT_COLUMNS,
        sparse_output=False,
    )
    return ColumnTransformer(
        [("numeric", numbers, list(layout.numeric)), ("categorical", categories, list(layout.categorical))]
    )


def within_reach(scaled: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Scaled numbers, none of them further out than `FURTHEST`."""
    return scaled.clip(-FURTHEST, FURTHEST)


def _ordinal(layout: Layout) -> Pipeline:
    categories = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        min_frequency=RARE_CATEGORY_SHARE,
        max_categories=MOST_CATEGORIES,
    )
    columns = [("numeric", "passthrough", list(layout.numeric)), ("categorical", categories, list(layout.categorical))]
    return make_pipeline(ColumnTransformer(columns), EmptyColumnFiller())


def _logistic_regression(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    own = dict(parameters)
    knots = own.pop("knots", None)
    return make_pipeline(_scaled(layout, knots), LogisticRegression(max_iter=1_000, random_state=seed, **own))


def _support_vector_machine(parameters: Mapping[str, Any], layout: Layout, seed: int) -> PlattScaledClassifier:
    return PlattScaledClassifier(
        make_pipeline(_scaled(layout), RadialSVC(cache_size=100, random_state=seed, **parameters))
    )


def _k_nearest_neighbors(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    # Single precision halves the time of the distances, which is all that this family spends.
    return make_pipeline(_scaled(layout), FunctionTransformer(np.float32), CappedNeighborsClassifier(**parameters))


def _random_forest(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    forest = RandomForestClassifier(n_estimators=TREES, random_state=seed, **parameters)
    return make_pipeline(_ordinal(layout), forest)


def _gradient_boosting(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    first = len(layout.numeric)
    boosting = HistGradientBoostingClassifier(
        categorical_features=list(range(first, first + len(layout.categorical))),
        early_stopping=False,
        random_state=seed,
        **parameters,
    )
    return make_pipeline(_ordinal(layout), TailCodes(len(layout.numeric)), boosting)


# On the handbook's data, average precision of boosting on later days: negative sampling (25 genuine rows a fraud) .729
# to .747, and the tails' codes .747 to .752.
FAMILIES: Mapping[str, Family] = {
    "logistic_regression": Family(_logistic_regression, spaces.LOGISTIC_REGRESSION, most_rows=MOST_LINEAR_ROWS),
    "support_vector_machine": Family(_support_vector_machine, spaces.SUPPORT_VECTOR_MACHINE, is_slow=True),
    "k_nearest_neighbors": Family(_k_nearest_neighbors, spaces.K_NEAREST_NEIGHBORS, is_slow=True),
    "random_forest": Family(_random_forest, spaces.RANDOM_FOREST, most_rows=MOST_FOREST_ROWS, parts=FOREST_PARTS),
    "gradient_boosting": Family(_gradient_boosting, spaces.GRADIENT_BOOSTING),
}
