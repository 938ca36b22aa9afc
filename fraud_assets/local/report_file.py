"""A day's stored report as a file of its own, plotly.js inside, to keep or to mail."""

from datetime import date
from pathlib import Path

from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.whole_file import whole_file
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.reporting.document import with_plotly_js

REPORT = "performance_report"
SHOWN_DAYS = 3


def write_report(workplace: Workplace, day: str, output: Path) -> int:
    """Write a day's report and return its number of bytes; a failure leaves the file as it was.

    Raises `Refusal` for a day that has none, and for a file that cannot be written.
    """
    postgres = workplace.postgres()
    if day not in (days := list(postgres.stored_row_counts(REPORT))):
        raise Refusal(_without(day, days))
    rows = load(postgres, REPORT, [day], Selection(columns=("html",))).reader.read_all()
    content = with_plotly_js(rows["html"][0].as_py()).encode()
    with whole_file(output) as draft:
        draft.write_bytes(content)
    return len(content)


def _without(day: str, days: list[str]) -> str:
    if not days:
        return f"There is no report yet; fraud-assets run --date {day} makes that day and its report."
    near = sorted(sorted(days, key=lambda other: abs(_ordinal(other) - _ordinal(day)))[:SHOWN_DAYS])
    others = f", {len(days)} in all from {days[0]} to {days[-1]}" if len(days) > SHOWN_DAYS else ""
    return (
        f"There is no report of {day}; the nearest are those of {', '.join(near)}{others}. fraud-assets run --date "
        f"{day} makes that day and its report."
    )


def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()
