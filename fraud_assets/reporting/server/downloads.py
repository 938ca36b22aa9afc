"""What is taken away: a day's alerts as CSV, and a day's signed model as an archive.

What does not live here: who signs and checks models (`ModelFiles` is handed in).
"""

import csv
import io
import unicodedata
import zipfile
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

FORMULA_STARTS = frozenset("=+-@\t\r\n")
"""What makes a spreadsheet take a text for a formula (OWASP, "CSV Injection")."""

README = """\
{name}: the fraud model of {day}, as it was stored.

model.joblib    the model. joblib loads it in Python, with the library versions that signature.json names. Loading runs
                what is in the file: check the signature first, and load it only if you trust where you have it from.
signature.json  what was signed, and the signature: whoever has the signing key can check it.
"""

# Every archive of the same model is the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class ModelFile:
    """A stored model: its name for people, its bytes, and the JSON text that says how they are signed."""

    name: str
    content: bytes
    signature: str


class ModelFiles(Protocol):
    """Where the day's signed models come from."""

    def file_of(self, day: str) -> ModelFile | None:
        """The current model of a day, its signature checked; None where there is none."""


def model_archive(day: str, model: ModelFile) -> bytes:
    """A zip of model.joblib, signature.json and README.txt. The model is stored as it is: it is compressed already."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo("model.joblib", _NO_TIME), model.content)
        archive.writestr(zipfile.ZipInfo("signature.json", _NO_TIME), model.signature)
        archive.writestr(zipfile.ZipInfo("README.txt", _NO_TIME), README.format(name=model.name, day=day))
    return content.getvalue()


def alerts_csv(alerts: pd.DataFrame) -> bytes:
    """One line a transaction, UTF-8 with the mark by which spreadsheets know it; times in UTC.

    A text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(alerts.columns)
    for row in alerts.itertuples(index=False):
        writer.writerow([_written(value) for value in row])
    return text.getvalue().encode("utf-8-sig")


def _written(value: object) -> object:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, str):
        return f"'{value}" if _looks_like_a_formula(value) else value
    return value


def _looks_like_a_formula(text: str) -> bool:
    """After whatever cannot be seen, and with letters of full width taken for what they look like."""
    seen = unicodedata.normalize("NFKC", text)
    first = next((letter for letter in seen if letter in FORMULA_STARTS or not _is_unseen(letter)), "")
    return first in FORMULA_STARTS


def _is_unseen(letter: str) -> bool:
    return letter.isspace() or unicodedata.category(letter) in {"Cc", "Cf"}
