"""Which runs a backfill makes, without making any."""

from collections.abc import Mapping
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fraud_assets.local.backfill.lineage import Lineage
from fraud_assets.local.backfill.pieces import cut, follows, pieces

DAYS = [(date(2024, 2, 25) + timedelta(days=n)).isoformat() for n in range(12)]
ASSETS = st.frozensets(st.sampled_from(["raw", "labels", "features"]))


@given(st.dictionaries(st.sampled_from(DAYS), ASSETS), st.integers(1, 5))
def test_every_day_is_in_one_piece_with_all_that_it_is_to_make(
    todo: Mapping[str, frozenset[str]], longest: int
) -> None:
    made = list(pieces(todo, longest))
    planned = {day: piece.assets for piece in made for day in piece.days}
    assert planned == {day: assets for day, assets in todo.items() if assets}
    days = [day for piece in made for day in piece.days]
    assert days == sorted(set(days))
    for piece in made:
        assert len(piece.days) <= longest
        assert all(follows(one, next_) for one, next_ in zip(piece.days, piece.days[1:], strict=False))


def test_days_alike_and_without_a_hole_are_one_run() -> None:
    todo = dict.fromkeys(DAYS[:6], frozenset({"raw", "labels"})) | {
        DAYS[2]: frozenset({"labels"}),
        DAYS[7]: frozenset({"raw"}),
    }
    assert [piece.days for piece in pieces(todo, 100)] == [
        tuple(DAYS[:2]),
        (DAYS[2],),
        tuple(DAYS[3:6]),
        (DAYS[7],),
    ]


@given(st.integers(2, 12), st.data())
def test_a_cut_loses_no_day_and_makes_the_runs_smaller(length: int, data: st.DataObject) -> None:
    days = DAYS[:length]
    stored = data.draw(st.integers(0, length))
    parts = cut(days, days[:stored])
    assert [day for part in parts for day in part] == days
    assert all(0 < len(part) < length for part in parts)
    if 0 < stored < length:
        assert (days[stored],) in parts


def test_what_cannot_be_made_follows_what_is_needed_and_what_comes_together() -> None:
    needs = {"a": set[str](), "b": {"a"}, "twin": {"a"}, "c": {"b"}, "free": set[str]()}
    alone = {name: frozenset({name}) for name in needs}
    together = alone | {"b": frozenset({"b", "twin"}), "twin": frozenset({"b", "twin"})}
    lineage = Lineage(
        tuple(needs), {}, frozenset(), together, {name: frozenset(needed) for name, needed in needs.items()}
    )
    assert lineage.without({"a"}) == {"a", "b", "twin", "c"}
    assert lineage.without({"c"}) == {"c"}
