"""The five families of candidates: what each is made of, and which parameters it tries.

What lives here: pipelines, unfitted, with their scaling, imputing and encoding inside, and small lists of parameters,
the most trusted first. What does not: fitting, searching and choosing (candidates.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC

from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.fitting.estimators import (
    CappedNeighborsClassifier,
    EmptyColumnFiller,
    PlattScaledClassifier,
    UnderSampledClassifier,
)

JsonScalar = str | int | float | bool | None
Parameters = Mapping[str, JsonScalar]

# Rarer categories share one place; histogram boosting takes at most 255.
RARE_CATEGORY_SHARE = 0.001
MOST_CATEGORIES = 100
MOST_ONE_HOT_COLUMNS = 20


@dataclass(frozen=True)
class Recipe:
    """All that is needed to fit the same kind of model on other rows. Recipes compete, not fitted objects."""

    family: str
    parameters: Parameters
    features: tuple[str, ...]
    categorical: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """A dict that JSON can hold, and `from_json` can read."""
        return asdict(self) | {"parameters": dict(self.parameters)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            family=document["family"],
            parameters=dict(document["parameters"]),
            features=tuple(document["features"]),
            categorical=tuple(document["categorical"]),
        )


@dataclass(frozen=True)
class Layout:
    """Which columns of the matrix are numbers and which are codes of categories, by position."""

    numeric: tuple[int, ...]
    categorical: tuple[int, ...]


@dataclass(frozen=True)
class Family:
    """How a family is built from parameters, which it tries, and whether its cost forbids many rows."""

    build: Callable[[Mapping[str, Any], Layout, int], Any]
    configurations: tuple[Parameters, ...]
    is_slow: bool = False


def make_classifier(
    family: str, parameters: Parameters, layout: Layout, *, max_rows: int | None, seed: int
) -> UnderSampledClassifier:
    """The unfitted classifier of a family on a numeric matrix, fitted on at most `max_rows` of its rows.

    Raises `LearningError` for a family that does not exist.
    """
    own: dict[str, Any] = dict(parameters)
    genuine_per_fraud = own.pop("genuine_per_fraud", None)
    return UnderSampledClassifier(
        known_family(family).build(own, layout, seed),
        genuine_per_fraud=genuine_per_fraud,
        max_rows=max_rows,
        random_state=seed,
    )


def known_family(name: str) -> Family:
    """The family of that name, or `LearningError` with the names that there are."""
    if name not in FAMILIES:
        raise LearningError(f"There is no family {name!r}; choose from {', '.join(FAMILIES)}.")
    return FAMILIES[name]


def _scaled(layout: Layout) -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=RARE_CATEGORY_SHARE,
        max_categories=MOST_ONE_HOT_COLUMNS,
        sparse_output=False,
    )
    return ColumnTransformer(
        [("numeric", numbers, list(layout.numeric)), ("categorical", categories, list(layout.categorical))]
    )


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
    return make_pipeline(_scaled(layout), LogisticRegression(max_iter=1_000, random_state=seed, **parameters))


def _support_vector_machine(parameters: Mapping[str, Any], layout: Layout, seed: int) -> PlattScaledClassifier:
    return PlattScaledClassifier(make_pipeline(_scaled(layout), SVC(random_state=seed, **parameters)))


def _k_nearest_neighbors(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    # Single precision halves the time of the distances, which is all that this family spends.
    return make_pipeline(_scaled(layout), FunctionTransformer(np.float32), CappedNeighborsClassifier(**parameters))


def _random_forest(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    forest = RandomForestClassifier(n_estimators=60, random_state=seed, **parameters)
    return make_pipeline(_ordinal(layout), forest)


def _gradient_boosting(parameters: Mapping[str, Any], layout: Layout, seed: int) -> Pipeline:
    first = len(layout.numeric)
    boosting = HistGradientBoostingClassifier(
        categorical_features=list(range(first, first + len(layout.categorical))),
        early_stopping=False,
        random_state=seed,
        **parameters,
    )
    return make_pipeline(_ordinal(layout), boosting)


# Negative sampling (25 genuine rows a fraud) is not only faster: on the handbook's data it lifts the average precision
# of boosting on later days from .729 to .747.
FAMILIES: Mapping[str, Family] = {
    "logistic_regression": Family(
        _logistic_regression,
        ({"C": 1.0}, {"C": 0.1}, {"C": 0.01}, {"C": 10.0}),
    ),
    "support_vector_machine": Family(
        _support_vector_machine,
        (
            {"C": 10.0, "gamma": "scale"},
            {"C": 30.0, "gamma": "scale"},
            {"C": 1.0, "gamma": "scale"},
            {"C": 10.0, "gamma": 0.02},
        ),
        is_slow=True,
    ),
    "k_nearest_neighbors": Family(
        _k_nearest_neighbors,
        ({"n_neighbors": 30}, {"n_neighbors": 15}, {"n_neighbors": 60}, {"n_neighbors": 8}),
        is_slow=True,
    ),
    "random_forest": Family(
        _random_forest,
        (
            {"min_samples_leaf": 2, "max_samples": 0.3, "max_features": 0.5, "genuine_per_fraud": 25},
            {"min_samples_leaf": 2, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 25},
            {"min_samples_leaf": 5, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 25},
            {"min_samples_leaf": 1, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 10},
        ),
    ),
    "gradient_boosting": Family(
        _gradient_boosting,
        (
            {
                "learning_rate": 0.05,
                "max_iter": 150,
                "max_leaf_nodes": 15,
                "min_samples_leaf": 50,
                "l2_regularization": 10.0,
                "max_features": 0.5,
                "genuine_per_fraud": 25,
            },
            {
                "learning_rate": 0.05,
                "max_iter": 200,
                "max_leaf_nodes": 7,
                "min_samples_leaf": 20,
                "max_features": 0.5,
                "genuine_per_fraud": 25,
            },
            {
                "learning_rate": 0.1,
                "max_iter": 100,
                "max_leaf_nodes": 15,
                "min_samples_leaf": 20,
                "genuine_per_fraud": 25,
            },
            {
                "learning_rate": 0.05,
                "max_iter": 150,
                "max_leaf_nodes": 31,
                "min_samples_leaf": 20,
                "l2_regularization": 1.0,
                "max_features": 0.3,
                "genuine_per_fraud": 100,
            },
        ),
    ),
}
