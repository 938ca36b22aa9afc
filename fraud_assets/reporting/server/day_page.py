"""A day's page: the stored report's own content, or, for a day that has none yet, what there is of it.

What does not live here: sections of a report (`fraud_assets.reporting.day`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fraud_assets.reporting.document import day_headline, day_sections, render
from fraud_assets.reporting.server.store import Store

_BEGIN, _END = '<main id="content">', "</main>"


@dataclass(frozen=True)
class Neighbours:
    """The days before and after, of those that something is stored of, and the newest where that is another yet."""

    previous: str | None
    following: str | None
    newest: str | None


NOWHERE = Neighbours(None, None, None)


def neighbours(days: Sequence[str], day: str) -> Neighbours:
    """`days` are sorted; `day` need not be one of them."""
    before, after = bisect_left(days, day), bisect_right(days, day)
    return Neighbours(
        previous=days[before - 1] if before else None,
        following=days[after] if after < len(days) else None,
        newest=days[-1] if after < len(days) - 1 else None,
    )


def day_content(store: Store, day: str) -> Markup | None:
    """The content of the day's report, in the site's own frame; None where nothing of the day is stored.

    What comes from data in it is escaped.
    """
    document = store.document(day)
    if document is None:
        frames = store.day(day)
        if frames.is_empty:
            return None
        document = render(day, day_sections(frames), headline=day_headline(frames))
    return content_of(document)


def content_of(document: str) -> Markup:
    """What stands in the document's `<main>`; no text in it can look like the end of that."""
    _, _, rest = document.partition(_BEGIN)
    content, end, _ = rest.rpartition(_END)
    if not end:
        raise ValueError(f"the stored report has no {_BEGIN}; materialize performance_report of this day again.")
    return Markup(content)  # noqa: S704 - made by `render`, which escapes; scripts in it would not run
