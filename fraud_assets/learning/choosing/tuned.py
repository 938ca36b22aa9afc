"""A recipe with what was tuned for it out of fold: what competes, what is carried from day to day, what is refitted.

What does not live here: who wins (champion.py), and the refit (best.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from fraud_assets.learning.fitting.calibration import Calibrator
from fraud_assets.learning.fitting.candidates import Candidate
from fraud_assets.learning.fitting.families import Recipe


@dataclass(frozen=True)
class TunedRecipe:
    """A recipe, the calibrator and threshold (on calibrated scores) that belong to it, and the day of its search."""

    recipe: Recipe
    threshold: float
    calibrator: Calibrator
    searched_on: str

    @classmethod
    def of(cls, candidate: Candidate) -> Self:
        return cls(candidate.recipe, candidate.threshold, candidate.calibrator, candidate.searched_on)

    def as_json(self) -> dict[str, Any]:
        """A dict that JSON can hold, and `from_json` can read."""
        return {
            "recipe": self.recipe.as_json(),
            "threshold": float(self.threshold),
            "calibrator": self.calibrator.as_json(),
            "searched_on": self.searched_on,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            recipe=Recipe.from_json(document["recipe"]),
            threshold=float(document["threshold"]),
            calibrator=Calibrator.from_json(document["calibrator"]),
            searched_on=str(document["searched_on"]),
        )
