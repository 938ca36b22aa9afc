"""A customer by the ids that a text may mention: their own, and those of their transactions.

In a text an id is a whole word. One that is a short number may be any other number's digits, so it counts only where
the text says what it is: behind the word transaction or customer, or under a column of such a name.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

FORGOTTEN = "(forgotten)"
COLUMNS = frozenset({"transaction_id", "customer_id"})
TELLING_DIGITS = 10
"""From so many digits on a number is no count, no size and no date."""
SHOWN_CHARACTERS = 40
"""Reports cut a longer id, and put an ellipsis at its end."""

_WORD = re.compile(r"[^\W_]+")
_TABLE = re.compile(r"<table>.*?</table>", re.DOTALL)
_HEADING = re.compile(r"<th[^>]*>(.*?)</th>", re.DOTALL)
_ROW = re.compile(r"<tr>(?:<td[^>]*>.*?</td>)+</tr>\n?", re.DOTALL)
_CELL = re.compile(r"<td[^>]*>(.*?)</td>", re.DOTALL)


@dataclass(frozen=True)
class Identifiers:
    """What a customer is known by. `columns` are the names of columns that hold such ids, beside our own."""

    customers: frozenset[str]
    """The customer's own id, and what stands in for it where the column is sensitive."""
    transactions: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    headings: frozenset[str] = frozenset({"Transaction", "Customer"})
    """What columns of ids are headed in the reports."""

    def redacted(self, text: str) -> str:
        """A text with `FORGOTTEN` where it mentioned an id; tables of HTML and of Dagster lose the rows that did."""
        mentioned = self.mentioned(text)
        if not mentioned:
            return text
        document = _json(text)
        if isinstance(document, dict | list):
            changed = self.redacted_json(document)
            return text if changed == document else json.dumps(changed)
        return self._plain(_TABLE.sub(self._table, text), mentioned)

    def redacted_json(self, value: Any) -> Any:
        """The same for what JSON holds."""
        if isinstance(value, dict):
            return {key: self._of_column(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.redacted_json(inner) for inner in value if not self._is_record(inner)]
        if isinstance(value, str):
            return self._plain(value, self.mentioned(value))
        return value

    def mentioned(self, text: str) -> set[str]:
        """The ids that may be in a text: a quick look, which finds too many rather than too few."""
        words = set(_WORD.findall(text))
        return {known for word in words & self._by_word.keys() for known in self._by_word[word]}

    def is_known(self, value: object) -> bool:
        """Whether a value is one of the ids."""
        text = str(value).strip()
        return text in self.customers or text in self.transactions

    def is_in(self, text: str) -> bool:
        """Whether a text that nobody could read mentions an id: any word of it that is one counts."""
        return any(re.search(_word(form), text) for known in self.mentioned(text) for form in _forms(known))

    def masked(self, text: bytes) -> bytes:
        """The same for a file that somebody may be writing to: each id is as many asterisks as it has bytes."""
        for known in self.mentioned(text.decode(errors="replace")):
            for form in _forms(known):
                stars = b"*" * len(form.encode())
                pattern = re.compile(_pattern(known, form).pattern.encode(), re.IGNORECASE)
                text = pattern.sub(lambda found, stars=stars: found["before"] + stars, text)  # type: ignore[misc]
        return text

    @cached_property
    def _by_word(self) -> Mapping[str, list[str]]:
        """Each id under its longest word, in each of the forms in which texts write it."""
        found: dict[str, list[str]] = {}
        for known in self.customers | self.transactions:
            for form in _forms(known):
                words = _WORD.findall(form)
                if words:
                    found.setdefault(max(words, key=len), []).append(known)
        return found

    def _of_column(self, key: str, value: Any) -> Any:
        is_id = isinstance(value, str | int) and key in COLUMNS | self.columns and self.is_known(value)
        return FORGOTTEN if is_id else self.redacted_json(value)

    def _is_record(self, value: Any) -> bool:
        """Whether this is a row of a table in Dagster's metadata, and one of the customer's."""
        if not isinstance(value, dict) or value.get("__class__") != "TableRecord":
            return False
        data = value.get("data")
        return isinstance(data, dict) and any(
            self.is_known(cell) for name, cell in data.items() if name in COLUMNS | self.columns
        )

    def _table(self, found: re.Match[str]) -> str:
        """A table of a report without the customer's rows."""
        table = found[0]
        places = [place for place, name in enumerate(_HEADING.findall(table)) if name in self.headings]

        def kept(row: re.Match[str]) -> str:
            cells = _CELL.findall(row[0])
            is_theirs = any(place < len(cells) and self.is_known(html.unescape(cells[place])) for place in places)
            return "" if is_theirs else row[0]

        return _ROW.sub(kept, table) if places else table

    def _plain(self, text: str, mentioned: set[str]) -> str:
        for known in sorted(mentioned, key=len, reverse=True):
            for form in _forms(known):
                text = _pattern(known, form).sub(lambda found: found["before"] + FORGOTTEN, text)
        return text


def _pattern(known: str, form: str) -> re.Pattern[str]:
    if is_telling(known):
        return re.compile(f"(?P<before>){_word(form)}")
    before = r"""(?P<before>\b(?:transaction|customer)(?:[ _]id)?\b["']?\s*[:=]?\s*["']?)"""
    return re.compile(before + _word(form), re.IGNORECASE)


def _word(form: str) -> str:
    return rf"(?<!\w){re.escape(form)}(?!\w)"


def is_telling(known: str) -> bool:
    """Whether an id is one wherever it stands, as no other number looks like it."""
    return not known.isdecimal() or len(known) >= TELLING_DIGITS


def _forms(known: str) -> Iterator[str]:
    """How texts write an id: as it is, as HTML or JSON has it, and cut."""
    line = " ".join(known.split())
    cut = (line[: SHOWN_CHARACTERS - 1].rstrip() + "…",) if len(line) > SHOWN_CHARACTERS else ()
    for form in (known, line, *cut):
        escaped = html.escape(form)
        yield from dict.fromkeys(
            (form, escaped, html.escape(form, quote=False), json.dumps(form)[1:-1], json.dumps(escaped)[1:-1])
        )


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
