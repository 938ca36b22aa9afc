"""What a feature is computed from, in the words of those who say so: columns of transactions, columns of labels.

What lives here: the record. What does not: what each feature reads; that stands beside the code that reads it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Reads:
    """The columns whose values, of whichever rows, decide a feature's; no other column's do."""

    transactions: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()

    @classmethod
    def of(cls, *transactions: str) -> "Reads":
        return cls(frozenset(transactions))

    def __or__(self, other: "Reads") -> "Reads":
        return Reads(self.transactions | other.transactions, self.labels | other.labels)
