"""The science: features, splits, candidates and their evaluation. Frames in, frames and models out.

What lives here knows pandas, NumPy and scikit-learn. What does not: Dagster, databases, settings, files and clocks.
"""

from fraud_assets.learning.choosing.best import BestModel, Decision, refit_best
from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.compute import FeatureSpec, compute_features
from fraud_assets.learning.fitting.candidates import Candidate, fit_candidates, fit_recipe, score_candidates
from fraud_assets.learning.fitting.families import FAMILIES, Recipe
from fraud_assets.learning.fitting.models import FraudModel, score
from fraud_assets.learning.fitting.search import SearchBudget
from fraud_assets.learning.fitting.splits import split_last_fifth
from fraud_assets.learning.labels import known_labels, learnable_rows
from fraud_assets.learning.measuring.metrics import METRICS, baselines, choose_winner, evaluate

__all__ = [
    "FAMILIES",
    "METRICS",
    "BestModel",
    "Candidate",
    "Decision",
    "FeatureSpec",
    "FraudModel",
    "LearningError",
    "Recipe",
    "SearchBudget",
    "baselines",
    "choose_winner",
    "compute_features",
    "evaluate",
    "fit_candidates",
    "fit_recipe",
    "known_labels",
    "learnable_rows",
    "refit_best",
    "score",
    "score_candidates",
    "split_last_fifth",
]
