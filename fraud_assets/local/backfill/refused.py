"""Days that cannot be made, known before any run: no file, a bad one, rows that are not trusted, nothing to make it of.

Files are read for it and not stored: a bad one among many is then left out, where it would have ended the run in the
middle. Other sources are not asked twice for the same rows.
"""

from collections.abc import Collection, Mapping
from contextlib import closing
from datetime import date

import dagster as dg

from fraud_assets.assets.labels import label_feed
from fraud_assets.assets.plan import Plan
from fraud_assets.assets.raw_batch import FINGERPRINT, read_batch
from fraud_assets.local.console import Follower
from fraud_assets.postgres import PostgresResource
from fraud_assets.settings import FilesSource, LabelFiles
from fraud_assets.sources import SourceError


def bad_batches(plan: Plan, postgres: PostgresResource, days: Collection[str], bar: Follower) -> dict[str, str]:
    """Of these days the ones whose batch is missing or cannot be used, and why."""
    known = {str(print_): day for day, print_ in postgres.stored_facts("raw_batch", FINGERPRINT).items()}
    are_files = isinstance(plan.settings.source, FilesSource)
    bad: dict[str, str] = {}
    for day in days:
        if are_files or not plan.has_batch(date.fromisoformat(day)):
            bar.say(f"reading {day}")
            try:
                with closing(read_batch(plan.source.read_day, day, known)) as batch:
                    known[batch.fingerprint] = day
            except dg.Failure as error:
                bad[day] = str(error.description)
            except SourceError as error:
                bad[day] = str(error)
        bar.advance()
    return bad


def bad_label_files(plan: Plan, days: Collection[str]) -> dict[str, str]:
    """Of these days the ones whose file of labels is missing or cannot be used, and why; none without such files."""
    settings = plan.settings.labels
    if not isinstance(settings, LabelFiles):
        return {}
    feed = label_feed(plan, settings)
    bad: dict[str, str] = {}
    for day in days:
        try:
            feed.read_day(date.fromisoformat(day), None)
        except SourceError as error:
            bad[day] = str(error)
    return bad


def lacking(
    postgres: PostgresResource, needs: Mapping[str, frozenset[str]], assets: Collection[str], days: Collection[str]
) -> dict[str, dict[str, str]]:
    """For each of these days, the assets that need another one that is neither asked for nor stored, and why."""
    missing: dict[str, dict[str, str]] = {day: {} for day in days}
    for name in assets:
        for needed in sorted(needs[name] - set(assets)):
            stored = postgres.stored_row_counts(needed)
            for day in days:
                if day not in stored:
                    missing[day][name] = f"{name} needs {needed} of that day, which is not stored; --select it too"
    return missing
