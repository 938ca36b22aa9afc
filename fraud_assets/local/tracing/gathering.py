"""Asking the ledger and the stored tables for the story of one score. Nothing is computed anew, nothing unpickled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from fraud_assets.assets.candidate_models import PREFIX
from fraud_assets.assets.plan import Plan
from fraud_assets.assets.raw_batch import FINGERPRINT
from fraud_assets.learning.explaining.reasons import REASONS
from fraud_assets.local.database import Workplace
from fraud_assets.local.errors import Refusal
from fraud_assets.local.models import BEST_MODEL, LIBRARIES
from fraud_assets.local.tracing.document import Made, Model, Partitions, Run, Score, SourceRow, Trace
from fraud_assets.local.tracing.finding import (
    RAW,
    SCORED,
    Wanted,
    in_another_version,
    no_scores,
    not_found,
    row_of,
    wanted,
)
from fraud_assets.local.tracing.labels import LABELS, known_labels, own_labels
from fraud_assets.local.tracing.versions import made, partitions
from fraud_assets.postgres import ModelRefused, PostgresResource, Status, Version
from fraud_assets.postgres.storage.ledger import FIRST_VERSION, RESTORED_BY
from fraud_assets.postgres.storage.models import verified_payload

FEATURES = "cleaned_features"
AS_SIGNED = "as signed"
SIMULATED = "simulated"
UNKNOWN = "unknown"
"""What has become of a file whose source is not the one of today's settings."""


def gather(workplace: Workplace, plan: Plan, given: str, day: str, number: int | None = None) -> Trace:
    """The story of a transaction's score on a day: of the current version of the day's scores, or of that number.

    Raises `Refusal` for a day without scores, a version that never was, and a transaction that has no score there.
    """
    postgres = workplace.postgres()
    sought = wanted(plan, postgres, given)
    stored = postgres.stored_versions(SCORED, day)
    if not stored:
        raise no_scores(postgres, day)
    asked = _Asked(workplace, plan, postgres, sought, day)
    traced = _chosen(stored, day, number)
    row = asked.row(traced)
    if row is None and traced.status != Status.PRUNED:
        raise in_another_version(postgres, sought, stored) or not_found(plan, postgres, sought, day)
    return asked.trace(traced, row, stored)


def _chosen(stored: Sequence[Version], day: str, number: int | None) -> Version:
    """The version of that number, else the current one, else the newest that is still there."""
    if number is not None:
        for version in stored:
            if version.version == number:
                return version
        raise Refusal(
            f"There is no version {number} of the scores of {day}; the newest is version {stored[0].version}."
        )
    in_order = (Status.CURRENT, Status.ARCHIVED, Status.PRUNED)
    return min(stored, key=lambda version: in_order.index(Status(version.status)))


@dataclass
class _Asked:
    """One question, and what could not be answered so far."""

    workplace: Workplace
    plan: Plan
    postgres: PostgresResource
    sought: Wanted
    day: str
    gone: list[str] = field(default_factory=list)

    def row(self, version: Version) -> dict[str, Any] | None:
        """The transaction's row, from a later version of the same content where that one has been pruned."""
        readable = self._readable(version)
        return None if readable is None else row_of(self.postgres, readable, self.sought)

    def _readable(self, version: Version) -> Version | None:
        if version.status != Status.PRUNED:
            return version
        others = self.postgres.stored_versions(version.asset_key, version.partition_key)
        same = [v for v in others if v.content_hash == version.content_hash and v.status != Status.PRUNED]
        name = f"Version {version.version} of {version.asset_key} of {version.partition_key} has been pruned"
        if same:
            self.gone.append(f"{name}; what is shown of it is from version {same[0].version}, which has its content.")
            return same[0]
        self.gone.append(f"{name}: its rows are gone, its record is not.")
        return None

    def trace(self, traced: Version, row: dict[str, Any] | None, stored: Sequence[Version]) -> Trace:
        seen = self.postgres.upstream_versions(traced.version_id)
        features = _of(seen, FEATURES, self.day)
        model = _of(seen, BEST_MODEL, self.day)
        read = self.postgres.upstream_versions(features.version_id) if features else []
        raw = _of(read, RAW, self.day)
        of_model = self.postgres.upstream_versions(model.version_id) if model else []
        if raw is None:
            self.gone.append("The ledger does not say which batch the score was made from.")
        if model is None:
            self.gone.append("The ledger does not say which model the score is from.")
        raw_row = self._shown(raw)
        issued = next((v for v in stored if v.version == FIRST_VERSION and v != traced), None)
        candidate = self._candidate(model, of_model)
        steps = self._steps(raw, _of(of_model, LABELS, self.day), features, candidate, model, issued, traced)
        told = _score(row, traced)
        stored_id = next((r["transaction_id"] for r in (row, raw_row) if r), self.sought.shown)
        return Trace(
            transaction_id=stored_id,
            date=self.day,
            source=None if raw is None else self._source(raw, raw_row),
            raw={name: value for name, value in (raw_row or {}).items() if name != "source_row"},
            features=self._features(features),
            features_read=_by_asset(read),
            score=told,
            issued=None if issued is None else _score(self.row(issued), issued),
            model=None if model is None else self._model(model, of_model),
            known_labels=known_labels(self.postgres, of_model),
            own_labels=own_labels(self.postgres, self.sought, self.day, of_model),
            steps=steps,
            runs=self._runs(steps),
            gone=tuple(dict.fromkeys(self.gone)),
        )

    def _shown(self, version: Version | None) -> dict[str, Any] | None:
        row = None if version is None else self.row(version)
        if version is not None and row is None and version.status != Status.PRUNED:
            self.gone.append(f"The transaction is no more in version {version.version} of {version.asset_key}.")
        return row

    def _features(self, version: Version | None) -> dict[str, Any]:
        row = self._shown(version) or {}
        left_out = {"transaction_id", "transaction_time", "customer_id", "terminal_id"}
        return {name: value for name, value in row.items() if name not in left_out}

    def _source(self, raw: Version, row: Mapping[str, Any] | None) -> SourceRow:
        facts = raw.facts
        fingerprint, origin = str(facts.get(FINGERPRINT, "")), str(facts.get("origin", ""))
        kind = self.plan.settings.source.kind
        is_of_today = (kind == SIMULATED) == (origin == SIMULATED)
        day = date.fromisoformat(self.day)
        delivered = str(self.plan.source.delivered(day, fingerprint)) if is_of_today else UNKNOWN
        return SourceRow(
            kind=kind,
            origin=origin,
            row=(row or {}).get("source_row"),
            rows=facts.get("rows_in"),
            rejected=facts.get("rejected"),
            fingerprint=fingerprint,
            delivered=delivered,
        )

    def _model(self, version: Version, seen: Sequence[Version]) -> Model:
        candidate = self._candidate(version, seen)
        tuned_on = self.postgres.upstream_versions(candidate.version_id) if candidate else []
        first, last = (self._local_day(version.facts.get(name)) for name in ("trained_from", "trained_until"))
        fitted_on = [v for v in seen if v.asset_key == FEATURES and first <= v.partition_key <= last]
        currents = self._currents(FEATURES)
        return Model(
            made=made(version, self._current(version)),
            signature=self._signature(version),
            facts=version.facts,
            fitted_on=partitions(fitted_on, currents),
            read=_by_asset(seen),
            tuned_on=partitions([v for v in tuned_on if v.asset_key == FEATURES], currents),
        )

    def _local_day(self, instant: object) -> str:
        if not isinstance(instant, str):
            return ""
        return datetime.fromisoformat(instant).astimezone(self.plan.settings.tzinfo).date().isoformat()

    def _signature(self, version: Version) -> str:
        with self.postgres.connect() as connection:
            try:
                verified_payload(connection, version, signing_key=self.workplace.signing_key, libraries=LIBRARIES)
            except ModelRefused as error:
                return str(error)
        return AS_SIGNED

    def _candidate(self, model: Version | None, seen: Sequence[Version]) -> Version | None:
        """The candidate of the day that the recipe was compared as, where it was one."""
        name = None if model is None else model.facts.get("scored_as")
        return _of(seen, f"{PREFIX}/{name}", self.day)

    def _steps(self, *versions: Version | None) -> tuple[Made, ...]:
        return tuple(made(version, self._current(version)) for version in versions if version is not None)

    def _current(self, version: Version) -> int | None:
        return self._currents(version.asset_key).get(version.partition_key)

    def _currents(self, asset: str) -> dict[str, int]:
        """The number of each partition's current version."""
        return self.postgres.stored_version_numbers(asset)

    def _runs(self, steps: Sequence[Made]) -> tuple[Run, ...]:
        """The runs in the order in which they made something of the story."""
        base = self.plan.settings.alerts.dagster_url
        of_run: dict[str, list[str]] = {}
        for step in sorted(steps, key=lambda step: step.stored_at):
            if step.run_id != RESTORED_BY:
                of_run.setdefault(step.run_id, []).append(step.asset)
        urls = {run: None if base is None else f"{str(base).rstrip('/')}/runs/{run}" for run in of_run}
        return tuple(Run(run, tuple(dict.fromkeys(assets)), urls[run]) for run, assets in of_run.items())


def _of(versions: Sequence[Version], asset: str, day: str) -> Version | None:
    return next((v for v in versions if v.asset_key == asset and v.partition_key == day), None)


def _by_asset(versions: Sequence[Version]) -> tuple[Partitions, ...]:
    assets = dict.fromkeys(version.asset_key for version in versions)
    found = (partitions([v for v in versions if v.asset_key == asset], {}) for asset in assets)
    return tuple(one for one in found if one is not None)


def _score(row: Mapping[str, Any] | None, version: Version) -> Score | None:
    if row is None:
        return None
    return Score(
        version=version.version,
        stored_at=version.created_at,
        score=row["score"],
        rank=row["rank"],
        of=int(version.facts.get("transactions", version.row_count)) - int(version.facts.get("not_scored", 0)),
        is_alert=bool(row["is_alert"]),
        review_sample=bool(row.get("review_sample")),
        reasons=tuple(row[name] for name in REASONS if row.get(name)),
    )
