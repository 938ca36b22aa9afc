"""How candidates are searched and compared, and when what became of a day is worth a warning."""

from typing import Literal

from pydantic import Field, field_validator, model_validator

from fraud_assets.settings.values import Section


class LearningSettings(Section):
    """How candidates are searched and compared."""

    seed: int = Field(default=0, ge=0)
    alerts_per_day: int = Field(
        default=100, ge=1, description="how many transactions, or cards, the team can look at in a day"
    )
    alert_policy: Literal["capacity", "cost"] = Field(
        default="capacity",
        description="capacity: the alerts_per_day highest scores; cost: whatever should save more than it costs",
    )
    cost_per_alert: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="what looking at an alert costs, in the amounts' unit; 0 where it is not known",
    )
    recovered_share: float = Field(
        default=1.0, gt=0, le=1, description="the share of a fraudulent amount that an alert saves"
    )
    amount_bands: tuple[float, ...] = Field(
        default=(), description="edges of the evaluation's amount bands; unset means round ones that fit the amounts"
    )
    max_slow_rows: int = Field(
        default=10_000, ge=100, description="training rows of k-nearest neighbours and support vectors"
    )
    max_search_rows: int = Field(
        default=60_000, ge=100, description="training rows of a search; the winner is fitted on all"
    )
    configurations: int = Field(default=6, ge=1, le=60, description="how many parameter sets a family tries in a day")
    max_fits: int = Field(
        default=60, ge=5, description="fits of a day's candidates in all, a fifth for each family: search and last one"
    )
    search_every_days: int = Field(
        default=7, ge=1, le=365, description="for how many days a search's results serve; 1 is a search each day"
    )
    jobs: int = Field(default=-1, description="fits at a time; -1 is one for each core")
    backend: Literal["local", "dask"] = Field(
        default="local", description="where fits run: processes of the step's machine, or the workers of dask.scheduler"
    )
    review_sample_size: int = Field(
        default=20, ge=0, description="how many transactions a day are marked for review though they are no alerts"
    )
    promotion: Literal["automatic", "manual"] = Field(
        default="automatic", description="manual: a challenger takes over once somebody runs models approve"
    )
    promotion_margin: float = Field(
        default=0.005, ge=0, le=1, description="average precision by which a challenger must surely be better"
    )
    # Short enough that small gains, which the test rarely proves, arrive within a quarter; a dozen weekly searches.
    champion_max_age_days: int = Field(
        default=90, ge=1, description="after so many days in use a recipe gives way to the best candidate, untested"
    )
    champion_days: int = Field(
        default=28, ge=1, description="how old the last best model may be to count as the champion"
    )

    @model_validator(mode="after")
    def _alerts_by_cost_have_one(self) -> "LearningSettings":
        if self.alert_policy == "cost" and self.cost_per_alert == 0:
            raise ValueError("alert_policy = 'cost' needs a cost_per_alert above 0, or every transaction is an alert")
        return self

    @field_validator("amount_bands")
    @classmethod
    def _ascending(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0 < edge < float("inf") for edge in edges) or list(edges) != sorted(set(edges)):
            raise ValueError("must be amounts above 0, each larger than the one before")
        return edges


class WatchingSettings(Section):
    """When what became of a day is told apart from what was meant to be, and what is worth a warning."""

    psi_watch: float = Field(
        default=0.1, gt=0, description="population stability index from which on a feature is watched"
    )
    psi_drift: float = Field(default=0.25, gt=0, description="the same, from which on it has drifted and a check warns")
    issued_within_days: int = Field(
        default=3, ge=0, description="scores that are first stored later than that after their day were never acted on"
    )
    maturity_days: int = Field(
        default=28, ge=1, le=365, description="how old the transactions are whose labels' delays are measured"
    )
    mature_share: float = Field(
        default=0.9, gt=0, le=1, description="share of frauds that should be known after label_delay_days"
    )

    max_rejected_share: float = Field(
        default=0.05, ge=0, le=1, description="the largest share of a day's rows that may be rejected"
    )
    max_duplicate_share: float = Field(
        default=0.01, ge=0, le=1, description="the largest share of a day's rows that may repeat a transaction's id"
    )
    volume_factor: float = Field(
        default=2.0, gt=1, description="by how much a day's volume may differ from that of the last same weekdays"
    )

    @model_validator(mode="after")
    def _in_order(self) -> "WatchingSettings":
        if self.psi_watch > self.psi_drift:
            raise ValueError("psi_watch is above psi_drift; what has drifted must have been watched before")
        return self
