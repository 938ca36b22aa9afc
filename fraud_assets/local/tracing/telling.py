"""The command `trace`: a score's story on the terminal and, where a file is named, as a document."""

from pathlib import Path

from fraud_assets.local.console import out
from fraud_assets.local.daily import code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.tracing.gathering import gather
from fraud_assets.local.tracing.printing import print_trace, written
from fraud_assets.local.whole_file import whole_file


def tell(workplace: Workplace, given: str, day: str, number: int | None, *, full: bool, file: Path | None) -> None:
    """Print the story of a transaction's score; raises `Refusal` where there is none to tell."""
    _, plan = code_location(workplace)
    trace = gather(workplace, plan, given, day, number)
    if file is not None:
        with whole_file(file) as draft:
            draft.write_text(written(trace), encoding="utf-8")
    print_trace(trace, plan.settings.tzinfo, full=full)
    if file is not None:
        out.print(f"\nThe document is in {file}.", markup=False)
