"""Where the cuts of a trial fell, and which version they left."""

from collections import Counter
from dataclasses import dataclass, field

from fraud_assets_tests.postgres.trials.writers import Kind, Phase


@dataclass
class Tally:
    """How often a write of a kind was cut off in a phase, and whether the new version was there afterwards."""

    counts: Counter[tuple[Kind, Phase, bool]] = field(default_factory=Counter)

    def add(self, kind: Kind, phase: Phase | None, is_new: bool) -> None:
        assert phase is not None
        assert is_new or phase is not Phase.DONE
        self.counts[kind, phase, is_new] += 1

    @property
    def cut_off(self) -> int:
        """How many writes were cut off before their end; on a busy machine some are faster than was thought."""
        return sum(times for (_, phase, _), times in self.counts.items() if phase is not Phase.DONE)

    def show(self) -> None:
        for (kind, phase, is_new), times in sorted(self.counts.items()):
            print(f"{kind} {phase.name} {'new' if is_new else 'old'} {times}")

    def check_spread(self) -> None:
        """A trial that had cut no write off in one of its phases, or always too early, would prove less."""
        for phase in (Phase.BEGUN, Phase.FILLING, Phase.FILLED):
            assert sum(self.counts[Kind.FRAMES, phase, is_new] for is_new in (False, True)) >= 2
        for is_new in (False, True):
            assert sum(self.counts[kind, phase, is_new] for kind in Kind for phase in Phase if phase is not Phase.DONE)
