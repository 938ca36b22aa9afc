"""The demonstration: a simulated history, and yesterday from raw batch to best model."""

from fraud_assets.local.console import out
from fraud_assets.local.daily import code_location, newest_day, print_day, run_with_history
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.history import made_by_this_code
from fraud_assets.settings import SimulatedSource

RESULTS = ("evaluation_table", "best_model", "scored_batch")


def run_demo(workplace: Workplace) -> None:
    """Run yesterday, or find that it has been run, and show what came of it."""
    source = workplace.settings.source
    if not isinstance(source, SimulatedSource):
        raise Refusal(
            f"demo shows the simulated source, and the settings say source.kind = {source.kind}; "
            "use fraud-assets run --date, or call demo in a folder without fraud.toml."
        )
    _, plan = code_location(workplace)
    day = newest_day(plan)
    postgres = workplace.postgres()
    is_there = all(day.isoformat() in postgres.stored_row_counts(name) for name in RESULTS)
    if is_there and day.isoformat() in made_by_this_code(plan, postgres, "cleaned_features"):
        out.print(f"{day} has been run already; this is what is there.")
    else:
        out.print(f"Simulating {source.customers:,} customers until {day}, and running that day.")
        run_with_history(workplace, day)
    print_day(workplace, day)
