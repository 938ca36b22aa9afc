"""The model as the old pipeline picked it: four families on an under-sampled set, compared by recall alone.

What lives here: that choice, on frames. Its steps around it (scheduler, helper scripts, files between them) are not
repeated. Kinder than it was: scaling is fitted inside the folds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from threadpoolctl import threadpool_limits

Families: TypeAlias = Mapping[str, tuple[Any, Mapping[str, Sequence[Any]]]]

# The grids that go with this recipe wherever it is taught.
FAMILIES: Families = {
    "logistic regression": (LogisticRegression(max_iter=1_000), {"C": [0.001, 0.01, 0.1, 1, 10, 100, 1000]}),
    "k nearest neighbours": (KNeighborsClassifier(), {"n_neighbors": [2, 3, 4]}),
    "support vectors": (SVC(), {"C": [0.5, 0.7, 0.9, 1], "kernel": ["rbf", "poly", "sigmoid", "linear"]}),
    "decision tree": (
        DecisionTreeClassifier(random_state=42),
        {"criterion": ["gini", "entropy"], "max_depth": [2, 3], "min_samples_leaf": [5, 6]},
    ),
}


@dataclass(frozen=True)
class Picked:
    """The family with the highest cross-validated recall, fitted on the under-sampled rows."""

    family: str
    recall: float
    model: Any

    def scores(self, X: pd.DataFrame) -> NDArray[np.float64]:
        """What it ranks transactions by: probabilities, or distances from the margin."""
        if hasattr(self.model, "decision_function"):
            margin: NDArray[np.float64] = self.model.decision_function(X)
            return margin
        probabilities: NDArray[np.float64] = self.model.predict_proba(X)[:, 1]
        return probabilities


def pick_by_recall(X: pd.DataFrame, y: pd.Series, families: Families = FAMILIES) -> Picked:
    """All frauds and as many genuine transactions at random, five folds, a grid for each family, the best recall."""
    frauds = y[y == 1].index
    genuine = y[y == 0].sample(len(frauds), random_state=42).index
    kept = y.loc[frauds.append(genuine)].sample(frac=1, random_state=42).index
    picked = []
    for family, (classifier, grid) in families.items():
        pipeline = make_pipeline(RobustScaler(), classifier)
        step = pipeline.steps[-1][0]
        search = GridSearchCV(pipeline, {f"{step}__{name}": values for name, values in grid.items()}, scoring="recall")
        # On so few rows the threads of the linear algebra wait for each other longer than they compute.
        with threadpool_limits(1):
            search.fit(X.loc[kept], y.loc[kept])
        picked.append(Picked(family, float(search.best_score_), search.best_estimator_))
    return max(picked, key=lambda found: found.recall)
