"""The science: features, splits, candidates and their evaluation. Frames in, frames and models out.

What lives here knows pandas, NumPy and scikit-learn. What does not: Dagster, databases, settings, files and clocks.
"""

from fraud_assets.learning.choosing.best import BestModel, refit_best
from fraud_assets.learning.choosing.champion import Contest, Promotion, Rules, decide
from fraud_assets.learning.choosing.decisions import CHAMPION, Decision, DecisionKind
from fraud_assets.learning.choosing.incumbents import Champion, InCharge, champion_facts, in_charge
from fraud_assets.learning.choosing.overrides import (
    Override,
    OverrideKind,
    last_takeover,
    override_document,
    standing_pin,
)
from fraud_assets.learning.choosing.tuned import TunedRecipe
from fraud_assets.learning.errors import LearningError
from fraud_assets.learning.features.compute import compute_features, feature_reads
from fraud_assets.learning.features.spec import FeatureSpec
from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.candidates import (
    Candidate,
    fit_candidates,
    fit_recipe,
    needed_for,
    score_candidates,
)
from fraud_assets.learning.fitting.families import ENSEMBLE, FAMILIES, Recipe
from fraud_assets.learning.fitting.models import FraudModel, score
from fraud_assets.learning.fitting.results import SearchResult, incumbents, reusable
from fraud_assets.learning.fitting.search import SearchBudget
from fraud_assets.learning.fitting.splits import split_last_fifth
from fraud_assets.learning.labels import known_labels, learnable_rows
from fraud_assets.learning.measuring.alerting import AlertKind, AlertPolicy
from fraud_assets.learning.measuring.metrics import METRICS, baselines, choose_winner, evaluate
from fraud_assets.learning.measuring.tables import BOUNDS, Evaluation, evaluate_scorers

__all__ = [
    "BOUNDS",
    "CHAMPION",
    "ENSEMBLE",
    "FAMILIES",
    "METRICS",
    "AlertKind",
    "AlertPolicy",
    "BestModel",
    "Calibrator",
    "Candidate",
    "Champion",
    "Contest",
    "Decision",
    "DecisionKind",
    "Evaluation",
    "FeatureSpec",
    "FraudModel",
    "InCharge",
    "LearningError",
    "Override",
    "OverrideKind",
    "Promotion",
    "Recipe",
    "Rules",
    "SearchBudget",
    "SearchResult",
    "TunedRecipe",
    "baselines",
    "champion_facts",
    "choose_winner",
    "compute_features",
    "decide",
    "evaluate",
    "evaluate_scorers",
    "feature_reads",
    "fit_candidates",
    "fit_recipe",
    "in_charge",
    "incumbents",
    "known_labels",
    "last_takeover",
    "learnable_rows",
    "needed_for",
    "override_document",
    "refit_best",
    "reusable",
    "score",
    "score_candidates",
    "split_last_fifth",
    "standing_pin",
]
