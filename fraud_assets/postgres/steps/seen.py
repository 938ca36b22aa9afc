"""What a step has read so far: kept from its inputs until its outputs are recorded in the ledger."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

REMEMBERED_ATTEMPTS = 256


@dataclass(frozen=True)
class SeenVersion:
    """A version that a step has loaded, and the partitions of the run that it was loaded for; None means all."""

    version_id: int
    asset: str
    partition: str
    version: int
    partitions: frozenset[str] | None

    def is_for(self, partition_key: str) -> bool:
        return self.partitions is None or partition_key in self.partitions


class Attempt(NamedTuple):
    """One try of a step: a step that is tried again has seen nothing yet."""

    run_id: str
    step_key: str
    number: int


@dataclass
class SeenVersions:
    """The versions that the latest attempts of steps have loaded, in this process."""

    _attempts: OrderedDict[Attempt, dict[int, SeenVersion]] = field(default_factory=OrderedDict)

    def add(self, attempt: Attempt, versions: Iterable[SeenVersion]) -> None:
        """Note versions; one that two inputs have loaded counts for the partitions of both."""
        seen = self._attempts.setdefault(attempt, {})
        for version in versions:
            before = seen.get(version.version_id)
            partitions = version.partitions
            if before is not None:
                is_for_all = before.partitions is None or partitions is None
                partitions = None if is_for_all else (before.partitions or frozenset()) | (partitions or frozenset())
            seen[version.version_id] = replace(version, partitions=partitions)
        while len(self._attempts) > REMEMBERED_ATTEMPTS:
            self._attempts.popitem(last=False)

    def by(self, attempt: Attempt, partition_key: str) -> tuple[SeenVersion, ...]:
        """The versions that an attempt has loaded for a partition, in the order of loading."""
        return tuple(seen for seen in self._attempts.get(attempt, {}).values() if seen.is_for(partition_key))


SEEN = SeenVersions()
"""One for the process: the table manager and the model manager load the inputs of the same steps."""
