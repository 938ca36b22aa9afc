"""The search spaces as the tables of docs/candidates.md: `python -m fraud_assets_tests.learning.fitting.listing`
writes them there anew.
"""

from collections.abc import Iterable
from pathlib import Path

from fraud_assets.learning import FAMILIES
from fraud_assets.learning.fitting.families import JsonScalar, Parameters

PAGE = Path(__file__).resolve().parents[3] / "docs" / "candidates.md"
BEGIN = "<!-- the listing: begin -->"
END = "<!-- the listing: end -->"


def listing() -> str:
    """A table for each family, a row for each configuration in its order; an empty cell is a parameter not given."""
    return "\n\n".join(f"### {name}\n\n{_table(family.configurations)}" for name, family in FAMILIES.items())


def listed_in(page: str) -> str:
    """The part of the page that the code decides."""
    return page.partition(BEGIN)[2].partition(END)[0].strip()


def _table(configurations: tuple[Parameters, ...]) -> str:
    names = list(dict.fromkeys(name for parameters in configurations for name in parameters))
    rows = [
        [str(number), *(_cell(parameters, name) for name in names)]
        for number, parameters in enumerate(configurations, start=1)
    ]
    return "\n".join(_line(cells) for cells in [["", *names], ["---"] * (len(names) + 1), *rows])


def _cell(parameters: Parameters, name: str) -> str:
    return _shown(parameters[name]) if name in parameters else ""


def _shown(value: JsonScalar) -> str:
    return "none" if value is None else str(value)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    written = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written.replace(listed_in(written), listing()), encoding="utf-8")
