"""What people decide about the best model, written into the journal that it reads: approve, pin, unpin, roll back.

Nothing is run here: an override counts from a day on, and that day's best model takes it when it is made. What an
override means is learning's business.
"""

from dataclasses import dataclass
from datetime import date

from rich.box import SIMPLE_HEAD
from rich.table import Table

from fraud_assets.assets.best_model import JOURNAL, override_of, recorded_overrides
from fraud_assets.learning import (
    DecisionKind,
    Override,
    OverrideKind,
    TunedRecipe,
    last_takeover,
    override_document,
    standing_pin,
)
from fraud_assets.local.console import out, print_table
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.journals import user_name
from fraud_assets.local.models import stored_model, stored_models
from fraud_assets.partitions import shifted
from fraud_assets.postgres import Version


@dataclass(frozen=True)
class Request:
    """What somebody asks for: the day whose best model it is about, the first day on which it counts, and why."""

    day: date | None = None
    from_day: date | None = None
    reason: str = ""


def approve(workplace: Workplace, request: Request) -> Override:
    """Let the challenger that waits since a day take over. Raises `Refusal` where none waits."""
    assert request.day is not None
    model = stored_model(workplace, request.day)
    kind = model.facts.get("decision_kind", "an older one, without a record")
    if kind != DecisionKind.AWAITING_APPROVAL:
        raise Refusal(
            f"No challenger waits for approval on {request.day}: the decision of that day is {kind!r}. fraud-assets "
            "models list shows the days on which one does."
        )
    tuned = TunedRecipe.from_json(model.facts["challenger_recipe"])
    overrides = recorded_overrides(workplace.postgres())
    last = last_takeover(overrides, _next_day(workplace))
    if last is not None and last.day == model.partition_key and last.tuned == tuned:
        raise Refusal(f"{tuned.recipe.family} of {request.day} is approved already: {last}.")
    _refuse_while_pinned(overrides, _next_day(workplace))
    return _record(workplace, OverrideKind.APPROVE, model.partition_key, request, tuned)


def pin(workplace: Workplace, request: Request) -> Override:
    """Keep the recipe of a day's best model, from the day after the newest one on."""
    model, from_day = _model_and_start(workplace, request)
    return _record(workplace, OverrideKind.PIN, from_day, request, _tuned(model))


def roll_back(workplace: Workplace, request: Request) -> Override:
    """Put the recipe of a day's best model in charge again; it competes from there. Refused while one is pinned."""
    model, from_day = _model_and_start(workplace, request)
    _refuse_while_pinned(recorded_overrides(workplace.postgres()), from_day)
    return _record(workplace, OverrideKind.ROLLBACK, from_day, request, _tuned(model))


def unpin(workplace: Workplace, request: Request) -> Override:
    """End the pin that holds. Raises `Refusal` where none does."""
    from_day = request.from_day.isoformat() if request.from_day else _next_day(workplace)
    if standing_pin(recorded_overrides(workplace.postgres()), from_day) is None:
        raise Refusal(f"No recipe is pinned on {from_day}; fraud-assets models overrides lists what was decided.")
    return _record(workplace, OverrideKind.UNPIN, from_day, request, None)


def print_overrides(workplace: Workplace) -> None:
    """A line for each override, oldest first."""
    overrides = recorded_overrides(workplace.postgres())
    if not overrides:
        out.print("Nobody has overridden a decision.")
        return
    table = Table("number", "written at", "by", "what", "model of", "recipe", "from", "reason", box=SIMPLE_HEAD)
    for one in overrides:
        family = "" if one.tuned is None else one.tuned.recipe.family
        table.add_row(
            str(one.number), one.written_at, one.author, one.kind, one.day or "", family, one.from_day, one.reason
        )
    print_table(table)


def _model_and_start(workplace: Workplace, request: Request) -> tuple[Version, str]:
    assert request.day is not None
    model = stored_model(workplace, request.day)
    from_day = request.from_day.isoformat() if request.from_day else _next_day(workplace)
    if from_day <= model.partition_key:
        raise Refusal(
            f"The recipe of {request.day} was chosen by what was known on that day, and cannot be used on {from_day}; "
            "give --from a later day."
        )
    return model, from_day


def _tuned(model: Version) -> TunedRecipe:
    if "recipe" not in model.facts:
        raise Refusal(
            f"The best model of {model.partition_key} was stored without the facts that its recipe is made again from; "
            f"fraud-assets run --date {model.partition_key} stores it with them."
        )
    return TunedRecipe.from_json(model.facts)


def _refuse_while_pinned(overrides: list[Override], day: str) -> None:
    pinned = standing_pin(overrides, day)
    if pinned is not None:
        raise Refusal(f"A pinned recipe gives way to nobody: {pinned}. fraud-assets models unpin ends that.")


def _next_day(workplace: Workplace) -> str:
    """The day after the newest best model: what is stored already is not touched when it is made again."""
    return shifted(stored_models(workplace)[-1].partition_key, 1).isoformat()


def _record(
    workplace: Workplace, kind: OverrideKind, from_day: str, request: Request, tuned: TunedRecipe | None
) -> Override:
    day = None if request.day is None else request.day.isoformat()
    document = override_document(kind, from_day, day, tuned, request.reason)
    return override_of(workplace.postgres().write_journal(JOURNAL, user_name(), document))
