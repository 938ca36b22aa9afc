"""What a step has read so far: kept from its inputs until its outputs are recorded in the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SeenVersion:
    """A version that a step has loaded. `reach` is the window it was loaded by, in partitions; None means all."""

    version_id: int
    partition_key: str
    reach: tuple[int, int] | None


@dataclass
class SeenVersions:
    """The versions that the steps of the current run have loaded, in this process."""

    _run_id: str = ""
    _steps: dict[str, dict[int, SeenVersion]] = field(default_factory=dict)

    def add(self, run_id: str, step_key: str, versions: Iterable[SeenVersion]) -> None:
        if run_id != self._run_id:
            self._run_id, self._steps = run_id, {}
        self._steps.setdefault(step_key, {}).update({version.version_id: version for version in versions})

    def forget(self, run_id: str, step_key: str) -> None:
        """A step that is tried again has seen nothing yet."""
        if run_id == self._run_id:
            self._steps.pop(step_key, None)

    def by(self, run_id: str, step_key: str) -> list[SeenVersion]:
        return list(self._steps.get(step_key, {}).values()) if run_id == self._run_id else []


SEEN = SeenVersions()
"""One for the process: the table manager and the model manager load the inputs of the same steps."""


def seen_from(seen: Iterable[SeenVersion], partition_key: str, ordered_keys: dict[str, int] | None) -> tuple[int, ...]:
    """Those of the versions that the output's partition could see: a range run loads the windows of all its days."""
    ids = []
    position = None if ordered_keys is None else ordered_keys.get(partition_key)
    for version in seen:
        theirs = None if ordered_keys is None else ordered_keys.get(version.partition_key)
        if (
            version.reach is None
            or position is None
            or theirs is None
            or version.reach[0] <= theirs - position <= version.reach[1]
        ):
            ids.append(version.version_id)
    return tuple(ids)
