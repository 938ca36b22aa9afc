"""Which file of a landing folder is a day's file. Reads names, not contents."""

import glob
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from fraud_assets.sources.errors import SourceError, SourceNotReady

DATE = "{date}"
# How long strftime writes them; without it, a wildcard beside the date could take some of its digits.
_DIGITS = {"%Y": r"\d{4}", "%j": r"\d{3}", **dict.fromkeys(["%y", "%m", "%d", "%H", "%M", "%S"], r"\d{2}")}


@dataclass(frozen=True)
class Arrival:
    """A day's file as the folder lists it: whoever writes to it changes its size (bytes) or time (nanoseconds)."""

    day: date
    path: Path
    size: int
    modified: int


@dataclass(frozen=True)
class Landing:
    """A folder with one file a day. `pattern` is a file name with `{date}` in it, and shell wildcards if need be."""

    folder: Path
    pattern: str
    date_format: str

    def file_of(self, day: date) -> Path:
        """Raises `SourceNotReady` when no file matches, `SourceError` for no folder or for more than one file."""
        wanted = self._wanted(day)
        found = self._matching(wanted)
        if len(found) > 1:
            names = " and ".join(path.name for path in found)
            raise SourceError(f"More than one file in {self.folder} matches {wanted!r}: {names}; leave one of them.")
        if not found:
            raise SourceNotReady(f"No file in {self.folder} matches {wanted!r}; {self._nearest(day)}")
        return found[0]

    def has_day(self, day: date) -> bool:
        """Whether any file is named for the day."""
        return bool(self._matching(self._wanted(day)))

    def first_day(self) -> date | None:
        """The earliest day that a file is named for; None when there is none."""
        return min((day for day, _ in self._dated()), default=None)

    def arrivals(self) -> list[Arrival]:
        """The files that are named for a day, by day. A day that two files are named for has none: neither counts.

        Raises `SourceError` for a folder that is not there or cannot be read.
        """
        found: dict[date, list[Path]] = {}
        for day, path in self._dated():
            found.setdefault(day, []).append(path)
        listed = ((day, paths[0]) for day, paths in sorted(found.items()) if len(paths) == 1)
        return [arrival for day, path in listed if (arrival := _arrival(day, path)) is not None]

    def _wanted(self, day: date) -> str:
        return self.pattern.replace(DATE, glob.escape(day.strftime(self.date_format)))

    def _matching(self, wanted: str) -> list[Path]:
        if not self.folder.is_dir():
            raise SourceError(f"The folder {self.folder} does not exist; create it, or correct the setting `folder`.")
        try:
            return sorted(path for path in self.folder.glob(wanted) if path.is_file())
        except OSError as error:
            raise SourceError(f"The folder {self.folder} cannot be read ({error.strerror}).") from error
        except (ValueError, NotImplementedError) as error:
            raise SourceError(f"The pattern {self.pattern!r} is not allowed: {error}.") from error

    def _dated(self) -> Iterator[tuple[date, Path]]:
        # Every conversion of the date format may be anything; what it is, strptime decides.
        any_date = _single_stars(re.sub(r"%-?[A-Za-z]", "*", self.date_format))
        name = re.compile(_name_pattern(self.pattern, self.date_format))
        for path in self._matching(_single_stars(self.pattern.replace(DATE, any_date))):
            match = name.fullmatch(path.relative_to(self.folder).as_posix())
            day = _parsed(match["date"], self.date_format) if match else None
            if day is not None:
                yield day, path

    def _nearest(self, day: date) -> str:
        dated = sorted(self._dated(), key=lambda item: abs(item[0] - day))[:3]
        if not dated:
            return f"no file there matches {self.pattern!r} on any day."
        return f"the nearest days that have one are {', '.join(str(near) for near, _ in sorted(dated))}."


def _arrival(day: date, path: Path) -> Arrival | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None  # moved away since it was listed
    return Arrival(day, path, stat.st_size, stat.st_mtime_ns)


def _single_stars(pattern: str) -> str:
    """Two stars side by side mean folders to any depth, and are legal only as a whole part of a path."""
    return "/".join(part if part == "**" else re.sub(r"\*+", "*", part) for part in pattern.split("/"))


def _name_pattern(pattern: str, date_format: str) -> str:
    """The file's name as a regular expression with a group `date`; further `{date}`s repeat the first."""
    before, *others = pattern.split(DATE)
    pieces = [_wildcards(piece) for piece in (before, *others)]
    return f"{pieces[0]}(?P<date>{_date_pattern(date_format)}){'(?P=date)'.join(pieces[1:])}"


def _date_pattern(date_format: str) -> str:
    parts = re.findall(r"%-?[A-Za-z]|.", date_format)
    return "".join(_DIGITS.get(part) or ("[^/]+" if len(part) > 1 else re.escape(part)) for part in parts)


def _wildcards(piece: str) -> str:
    words = {"*": "[^/]*", "?": "[^/]"}
    return "".join(part if part.startswith("[") else words.get(part) or re.escape(part) for part in _parts(piece))


def _parts(piece: str) -> list[str]:
    """A shell pattern cut into character classes, wildcards and characters."""
    return [part.replace("[!", "[^") for part in re.findall(r"\[!?[^\]]+\]|.", piece)]


def _parsed(text: str, date_format: str) -> date | None:
    try:
        return datetime.strptime(text, date_format).date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None
