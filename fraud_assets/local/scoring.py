"""Scores as a file: of a day of the source, or of transactions that somebody hands over."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pandas.api.types import is_integer_dtype

from fraud_assets.assets.plan import Plan
from fraud_assets.assets.scored_batch import score_day as score_features
from fraud_assets.learning import BestModel, compute_features
from fraud_assets.local.daily import bring_features, check_day, code_location
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.export import check_output, write_rows
from fraud_assets.local.models import BEST_MODEL, LIBRARIES, stored_models
from fraud_assets.postgres.storage.models import load_model
from fraud_assets.postgres.storage.reading import Selection, load
from fraud_assets.postgres.values.to_pandas import to_pandas
from fraud_assets.sources import read_file
from fraud_assets.sources.convert import to_whole_number

NOT_OF_HISTORY = {"label", "source_row"}
IDENTIFIERS = ("transaction_id", "customer_id", "terminal_id")
NO_LABELS = pd.DataFrame(
    {
        "transaction_id": pd.Series(dtype="int64"),
        "label": pd.Series(dtype="int8"),
        "known_at": pd.Series(dtype="datetime64[us, UTC]"),
    }
)


@dataclass(frozen=True)
class Scored:
    """How many transactions were scored, and by the model of which day."""

    rows: int
    model_date: str
    seen: int = 0
    """Transactions without a score: the model was fitted on rows as late as they are."""
    rejected: Mapping[str, int] = field(default_factory=dict)
    """Rows of the file that could not be read: how many, by reason."""


def score_day(workplace: Workplace, day: date, model_date: date | None, output: Path) -> Scored:
    """Score every transaction of a day; its features are made first where they are missing."""
    check_output(output)
    defs, plan = code_location(workplace)
    check_day(plan, day)
    chosen, best = _model(workplace, model_date, day)
    key = day.isoformat()
    with workplace.instance() as instance:
        bring_features(workplace, defs, plan, instance, key)
    return _write(plan, best, chosen, _stored(workplace, "cleaned_features", [key]), output)


def score_file(workplace: Workplace, path: Path, model_date: date | None, output: Path) -> Scored:
    """Score the transactions of a file in the source's columns, with what is stored of their customers' history."""
    check_output(output)
    _, plan = code_location(workplace)
    with read_file(workplace.settings, path, roles=plan.roles, pseudonym_key=plan.settings.pseudonym_secret) as batch:
        transactions = to_pandas(batch.accepted.read_all())
        rejected = batch.counts.reasons
    start, end = transactions["transaction_time"].min(), transactions["transaction_time"].max()
    chosen, best = _model(workplace, model_date, start.tz_convert(workplace.settings.tzinfo).date())
    days = _stored_days(workplace, plan, start, end)
    history = _stored(
        workplace, "raw_batch", days, [name for name in transactions.columns if name not in NOT_OF_HISTORY]
    )
    transactions = _with_stored_ids(transactions, history, path)
    if len(history):
        history = history[~history["transaction_id"].isin(transactions["transaction_id"])]
    features = compute_features(
        pd.concat([history, transactions]) if len(history) else transactions,
        _stored(workplace, "labels", days) if days else NO_LABELS,
        plan.features,
        start=start,
        end=end + timedelta(microseconds=1),
    )
    features = features[features["transaction_id"].isin(transactions["transaction_id"])].reset_index(drop=True)
    return replace(_write(plan, best, chosen, features, output), rejected=rejected)


def _with_stored_ids(transactions: pd.DataFrame, history: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The file's ids in the types of the stored ones: a CSV's are text, where a Parquet file's may be numbers."""
    converted = {}
    for name in IDENTIFIERS:
        if name not in transactions or name not in history:
            continue
        stored, given = (is_integer_dtype(frame[name]) for frame in (history, transactions))
        if stored and not given:
            numbers, wrong = to_whole_number(pa.array(transactions[name], from_pandas=True))
            if wrong.any():
                example = transactions[name][wrong].iloc[0]
                raise Refusal(
                    f"{path}: {name} {example!r} is no whole number, as the stored ones are; correct the file."
                )
            converted[name] = pd.Series(numbers.to_pandas(types_mapper={pa.int64(): pd.Int64Dtype()}.get))
        elif given and not stored:
            converted[name] = transactions[name].astype("str")
    return transactions.assign(**converted)


def _model(workplace: Workplace, model_date: date | None, scored: date) -> tuple[str, BestModel]:
    """The best model of a day; where none is named, the newest that was there on the day that is scored."""
    if model_date is None:
        days = [version.partition_key for version in stored_models(workplace)]
        earlier = [day for day in days if day <= scored.isoformat()]
        if not earlier:
            raise Refusal(
                f"There is no best model of {scored} or of a day before it, the first is of {days[0]}; run an earlier "
                "day, or name a model with --model-date."
            )
        chosen = earlier[-1]
    else:
        chosen = model_date.isoformat()
    with workplace.postgres().connect() as connection:
        _, best = load_model(connection, BEST_MODEL, chosen, signing_key=workplace.signing_key, libraries=LIBRARIES)
    return chosen, best


def _stored(
    workplace: Workplace, asset: str, days: Sequence[str], columns: Sequence[str] | None = None
) -> pd.DataFrame:
    selection = Selection(None if columns is None else tuple(columns))
    return to_pandas(load(workplace.postgres(), asset, days, selection).reader.read_all())


def _stored_days(workplace: Workplace, plan: Plan, start: pd.Timestamp, end: pd.Timestamp) -> list[str]:
    """The days that storage has, from where the first transaction's windows begin to the last transaction."""
    zone = plan.settings.tzinfo
    first = start.tz_convert(zone).date().toordinal() + plan.feature_history[0]
    last = end.tz_convert(zone).date().isoformat()
    stored = workplace.postgres().stored_row_counts("raw_batch")
    return [day for day in stored if date.fromisoformat(day).toordinal() >= first and day <= last]


def _write(plan: Plan, best: BestModel, chosen: str, features: pd.DataFrame, output: Path) -> Scored:
    scored = _scored_by_day(plan, best, features)
    table = pa.Table.from_pandas(scored, preserve_index=False)
    return Scored(write_rows(output, table.to_reader()), chosen, int(scored["score"].isna().sum()))


def _scored_by_day(plan: Plan, best: BestModel, features: pd.DataFrame) -> pd.DataFrame:
    """Ranks and alerts are a day's, so a file of several days is scored a day at a time; rows in order of time."""
    if features.empty:
        return score_features(plan, best, features, ["transaction_id"])
    days = features["transaction_time"].dt.tz_convert(plan.settings.tzinfo).dt.date
    scored = [score_features(plan, best, rows, ["transaction_id"]) for _, rows in features.groupby(days)]
    return pd.concat(scored, ignore_index=True)
