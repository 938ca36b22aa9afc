"""The search spaces: every configuration that a family may try, the most trusted first.

What lives here: plain listings. What does not: what the names mean to a family (families.py), and how many of them a
day tries (search.py). The page docs/candidates.md lists the same.

Names that every family understands: `genuine_per_fraud` (negative sampling), `fraud_weight` (class weighting) and
`bags` (balanced bagging); what they do to the probabilities is taken out again. The others are the parameters of the
family's own estimator.
"""

from collections.abc import Mapping

JsonScalar = str | int | float | bool | None
Parameters = Mapping[str, JsonScalar]

# Quantile splines (cubic, with `knots` knots) let a linear model bend: on the handbook's data they lift its average
# precision from .69 to .74.
LOGISTIC_REGRESSION: tuple[Parameters, ...] = (
    {"knots": 5, "C": 1.0, "genuine_per_fraud": 25},
    {"knots": 8, "C": 0.1, "genuine_per_fraud": 25},
    {"knots": 8, "C": 1.0, "genuine_per_fraud": 25},
    {"knots": 5, "C": 0.1, "genuine_per_fraud": 25},
    {"knots": 5, "C": 0.01, "genuine_per_fraud": 25},
    {"knots": 8, "C": 0.01, "genuine_per_fraud": 50},
    {"knots": 5, "C": 0.1, "genuine_per_fraud": 10, "fraud_weight": "balanced"},
    {"knots": 5, "C": 1.0, "genuine_per_fraud": 50},
    {"knots": 5, "C": 0.1, "genuine_per_fraud": 5, "bags": 3},
    {"knots": 8, "C": 0.03, "genuine_per_fraud": 25, "fraud_weight": 5.0},
    {"knots": None, "C": 1.0, "genuine_per_fraud": 50},
    {"knots": None, "C": 0.1, "genuine_per_fraud": 50},
    {"knots": None, "C": 0.01, "genuine_per_fraud": 25},
    {"knots": None, "C": 1.0, "genuine_per_fraud": 25, "fraud_weight": "balanced"},
)

SUPPORT_VECTOR_MACHINE: tuple[Parameters, ...] = (
    {"C": 10.0, "gamma": "scale"},
    {"C": 3.0, "gamma": "scale"},
    {"C": 1.0, "gamma": "scale"},
    {"C": 30.0, "gamma": "scale"},
    {"C": 10.0, "gamma": 0.005},
    {"C": 30.0, "gamma": 0.005},
    {"C": 3.0, "gamma": 0.01},
    {"C": 10.0, "gamma": 0.02},
    {"C": 1.0, "gamma": "scale", "class_weight": "balanced"},
    {"C": 10.0, "gamma": "scale", "genuine_per_fraud": 5},
    {"C": 3.0, "gamma": "scale", "genuine_per_fraud": 10, "bags": 2},
    {"C": 100.0, "gamma": 0.002},
)

K_NEAREST_NEIGHBORS: tuple[Parameters, ...] = (
    {"n_neighbors": 30},
    {"n_neighbors": 60},
    {"n_neighbors": 15},
    {"n_neighbors": 30, "p": 1},
    {"n_neighbors": 60, "p": 1},
    {"n_neighbors": 15, "p": 1},
    {"n_neighbors": 120},
    {"n_neighbors": 8},
    {"n_neighbors": 30, "genuine_per_fraud": 5},
    {"n_neighbors": 60, "genuine_per_fraud": 2},
    {"n_neighbors": 15, "bags": 2},
    {"n_neighbors": 30, "bags": 3},
)

RANDOM_FOREST: tuple[Parameters, ...] = (
    {"min_samples_leaf": 5, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 25},
    {"min_samples_leaf": 3, "max_samples": 0.3, "max_features": "sqrt", "genuine_per_fraud": 25},
    {"min_samples_leaf": 3, "max_samples": 0.3, "max_features": 0.3, "genuine_per_fraud": 25},
    {"min_samples_leaf": 5, "max_samples": 0.5, "max_features": 0.3, "genuine_per_fraud": 25},
    {"min_samples_leaf": 2, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 25},
    {"min_samples_leaf": 10, "max_samples": 0.5, "max_features": 0.3, "genuine_per_fraud": 25},
    {"min_samples_leaf": 1, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 10},
    {"min_samples_leaf": 5, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 50},
    {"min_samples_leaf": 3, "max_samples": 0.5, "max_features": 0.3, "genuine_per_fraud": 10},
    {
        "min_samples_leaf": 3,
        "max_samples": 0.5,
        "max_features": "sqrt",
        "genuine_per_fraud": 10,
        "fraud_weight": "balanced",
    },
    {"min_samples_leaf": 5, "max_samples": 0.3, "max_features": 0.3, "genuine_per_fraud": 25, "fraud_weight": 5.0},
    {"min_samples_leaf": 2, "max_samples": 0.5, "max_features": "sqrt", "genuine_per_fraud": 5, "bags": 3},
    {"min_samples_leaf": 2, "max_samples": 0.8, "max_features": "sqrt", "genuine_per_fraud": 1, "bags": 10},
)

GRADIENT_BOOSTING: tuple[Parameters, ...] = (
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
        "learning_rate": 0.03,
        "max_iter": 300,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.25,
        "genuine_per_fraud": 25,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 200,
        "max_leaf_nodes": 7,
        "min_samples_leaf": 20,
        "l2_regularization": 1.0,
        "max_features": 0.5,
        "genuine_per_fraud": 25,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.25,
        "genuine_per_fraud": 50,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 100,
        "max_leaf_nodes": 31,
        "min_samples_leaf": 100,
        "l2_regularization": 10.0,
        "max_features": 0.3,
        "genuine_per_fraud": 25,
    },
    {
        "learning_rate": 0.1,
        "max_iter": 100,
        "max_leaf_nodes": 7,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.3,
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
    {
        "learning_rate": 0.03,
        "max_iter": 400,
        "max_leaf_nodes": 6,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.25,
        "genuine_per_fraud": 25,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.5,
        "genuine_per_fraud": 10,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.5,
        "genuine_per_fraud": 10,
        "fraud_weight": "balanced",
    },
    {
        "learning_rate": 0.05,
        "max_iter": 150,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 50,
        "l2_regularization": 10.0,
        "max_features": 0.5,
        "genuine_per_fraud": 50,
        "fraud_weight": 5.0,
    },
    {
        "learning_rate": 0.05,
        "max_iter": 120,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 30,
        "l2_regularization": 10.0,
        "max_features": 0.3,
        "genuine_per_fraud": 8,
        "bags": 3,
    },
    {
        "learning_rate": 0.1,
        "max_iter": 100,
        "max_leaf_nodes": 15,
        "min_samples_leaf": 20,
        "l2_regularization": 0.0,
        "max_features": 1.0,
        "genuine_per_fraud": 25,
    },
)
