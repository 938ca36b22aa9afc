"""What a trace says, as plain records: the same for the terminal and for a file. Nothing here asks or prints."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Made:
    """One version of one partition: what made it, and what it holds."""

    asset: str
    partition: str
    version: int
    status: str
    """What has become of it: current, archived or pruned."""
    current_version: int | None
    """The number of the version that is current today; None where there is none."""
    rows: int
    content_hash: str
    code_version: str | None
    run_id: str
    stored_at: datetime
    restored_from: int | None = None

    @property
    def is_superseded(self) -> bool:
        return self.current_version != self.version


@dataclass(frozen=True)
class Partitions:
    """The versions of one asset's partitions that something was made from."""

    asset: str
    first: str
    last: str
    combined_hash: str
    """SHA-256 of the lines "partition hash", in order; of a single partition its own hash."""
    versions: tuple[Made, ...]

    @property
    def count(self) -> int:
        return len(self.versions)

    @property
    def rows(self) -> int:
        return sum(version.rows for version in self.versions)


@dataclass(frozen=True)
class SourceRow:
    """Where the transaction came from."""

    kind: str
    origin: str
    """The file's name, the table's, or "simulated"."""
    row: int | None
    """The row's 1-based place at the source; None where it was stored by code that did not keep it."""
    rows: int | None
    rejected: int | None
    fingerprint: str
    delivered: str
    """What has become of the file: same, changed, gone, no_file, or unknown where the source is another one today."""


@dataclass(frozen=True)
class Score:
    """What one version of the day's scores says of the transaction; without numbers where it had none."""

    version: int
    stored_at: datetime
    score: float | None
    rank: int | None
    of: int
    is_alert: bool
    review_sample: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Model:
    """The best model that the score is from."""

    made: Made
    signature: str
    """ "as signed", or why it could not be checked."""
    facts: dict[str, Any]
    """What the asset said of it: recipe, decision, what it was fitted on, what it promised."""
    fitted_on: Partitions | None
    """The partitions of features that its rows are from."""
    read: tuple[Partitions, ...]
    """All partitions that the step read, by asset: also to compare recipes, and to know labels."""
    tuned_on: Partitions | None
    """The partitions of features that the recipe was tuned and fitted on as a candidate of that day."""


@dataclass(frozen=True)
class KnownLabels:
    """The labels that the model could know."""

    labels: int
    frauds: int
    last_known_at: datetime | None
    partitions: Partitions


@dataclass(frozen=True)
class OwnLabel:
    """A label of this very transaction."""

    label: int
    kind: str | None
    known_at: datetime
    partition: str
    was_known: bool
    """Whether it was among the labels that the model knew."""


@dataclass(frozen=True)
class Run:
    run_id: str
    assets: tuple[str, ...]
    """What of this story it has made."""
    url: str | None


@dataclass(frozen=True)
class Trace:
    """The whole story of one score; what is None, empty or missing is in `gone`, in words."""

    transaction_id: int | str
    date: str
    source: SourceRow | None
    raw: dict[str, Any]
    features: dict[str, Any]
    features_read: tuple[Partitions, ...]
    """What the features were computed from."""
    score: Score | None
    """Of the version that is traced."""
    issued: Score | None
    """Of the version that was issued first, where that is another one."""
    model: Model | None
    known_labels: KnownLabels | None
    own_labels: tuple[OwnLabel, ...]
    steps: tuple[Made, ...]
    runs: tuple[Run, ...]
    gone: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything, each partition too, in plain values; times in ISO 8601."""
        document: dict[str, Any] = _plain(asdict(self))
        return document


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    # JSON has no NaN: what is missing is null.
    return None if isinstance(value, float) and value != value else value
