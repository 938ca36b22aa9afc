"""The source, the home folder and the browser as `doctor` sees them."""

import os
from datetime import datetime, timedelta
from pathlib import Path

from fraud_assets.local.doctor.findings import Advice, Problem
from fraud_assets.reporting.browser import BrowserError, find_browser
from fraud_assets.settings import CreditcardSource, FilesSource, LabelFiles, Settings, SqlSource
from fraud_assets.sources import LabelFeed, SourceError, open_source


def home(settings: Settings) -> str:
    nearest = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    if not nearest.is_dir():
        raise Problem(f"{nearest} is no folder; set FRAUD_HOME to one.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        if settings.database_url is not None and settings.signing_key_file is not None:
            return f"{settings.home}, only to be read: the database is elsewhere, and keys are in files"
        raise Problem(f"{nearest} cannot be written; set FRAUD_HOME to a folder that can.")
    return str(settings.home)


def source(settings: Settings) -> str:
    source = settings.source
    place: Path | None = None
    if isinstance(source, FilesSource):
        place = source.folder
    elif isinstance(source, CreditcardSource):
        place = source.path
    if place is not None and not place.exists():
        raise Problem(f"{source.kind}: {place} does not exist; correct it in fraud.toml.")
    try:
        opened = open_source(settings, pseudonym_key=b"only looking")
        first = opened.first_day()
        if isinstance(source, SqlSource):
            opened.has_day(datetime.now(settings.tzinfo).date() - timedelta(days=1))
        if isinstance(settings.labels, LabelFiles):
            LabelFeed(settings.labels, settings.tzinfo).first_day()
    except SourceError as error:
        raise Problem(str(error)) from error
    return source.kind + (f", from {first} on" if first else "")


def browser(settings: Settings) -> str:
    if not settings.reports.pictures:
        return "not wanted (reports.pictures = false)"
    try:
        return str(find_browser())
    except BrowserError as error:
        raise Advice(str(error)) from error
