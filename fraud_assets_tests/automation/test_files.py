"""When a file of the landing folder is whole, and what it is then."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from fraud_assets.automation.files import (
    GIVEN_UP_SECONDS,
    HASHED_PER_LOOK,
    Look,
    News,
    Seen,
    as_cursor,
    from_cursor,
    look,
)
from fraud_assets.sources import content_digest
from fraud_assets.sources.landing import Landing

DAY = date(2024, 5, 9)
SETTLE = 60.0


class Watcher:
    """Looks at a folder, and remembers as the sensor's cursor does."""

    def __init__(self, folder: Path, pattern: str = "{date}.csv") -> None:
        self.landing = Landing(folder, pattern, "%Y-%m-%d")
        self.cursor: str | None = None
        self.stored: dict[str, str] = {}

    def look(self, now: float) -> Look:
        arrivals = self.landing.arrivals()
        found = look(arrivals, from_cursor(self.cursor), self.stored, now, SETTLE, content_digest)
        self.cursor = as_cursor(found.memory)
        return found


def test_a_file_that_grows_is_waited_for(tmp_path: Path) -> None:
    watcher, file = Watcher(tmp_path), tmp_path / f"{DAY}.csv"
    for second in range(0, 300, 30):
        with file.open("a") as stream:
            stream.write(f"a line of second {second}\n")
        assert watcher.look(second).waiting == [DAY]
    assert watcher.look(329.0).waiting == [DAY]
    (whole,) = watcher.look(331.0).whole
    assert (whole.day, whole.news, whole.fingerprint) == (DAY, News.NEW, content_digest(file))


def test_a_file_with_an_old_time_is_waited_for_all_the_same(tmp_path: Path) -> None:
    """Copying tools keep the time of the original, and some set it before they have written all."""
    import os

    watcher, file = Watcher(tmp_path), tmp_path / f"{DAY}.csv"
    file.write_text("half\n")
    os.utime(file, (0, 0))
    assert watcher.look(1_000_000.0).waiting == [DAY]
    assert len(watcher.look(1_000_060.0).whole) == 1


def test_a_stored_file_is_no_news_until_its_content_differs(tmp_path: Path) -> None:
    watcher, file = Watcher(tmp_path), tmp_path / f"{DAY}.csv"
    file.write_text("one\n")
    watcher.stored[str(DAY)] = content_digest(file)
    assert [watcher.look(second).whole for second in (0, 60, 120)] == [[], [], []]
    file.touch()
    assert [watcher.look(second).whole for second in (180, 240)] == [[], []]
    file.write_text("two\n")
    watcher.look(300)
    (whole,) = watcher.look(360).whole
    assert whole.news is News.CORRECTED
    watcher.stored[str(DAY)] = whole.fingerprint
    assert watcher.look(390).whole == []


def test_a_truncated_archive_is_waited_for_and_in_the_end_delivered_as_it_is(tmp_path: Path) -> None:
    watcher, file = Watcher(tmp_path, "{date}.csv.gz"), tmp_path / f"{DAY}.csv.gz"
    file.write_bytes(gzip.compress(b"a line\n" * 1000)[:-10])
    watcher.look(0)
    assert watcher.look(SETTLE).waiting == [DAY]
    (whole,) = watcher.look(GIVEN_UP_SECONDS).whole
    assert whole.fingerprint.startswith("unreadable")
    file.write_bytes(gzip.compress(b"a line\n" * 1000))
    assert watcher.look(GIVEN_UP_SECONDS + 1).waiting == [DAY]
    (again,) = watcher.look(GIVEN_UP_SECONDS + 1 + SETTLE).whole
    assert again.run_key != whole.run_key


def test_a_full_folder_is_read_a_part_at_a_look(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path)
    days = [date.fromordinal(DAY.toordinal() + number) for number in range(HASHED_PER_LOOK + 7)]
    for day in days:
        (tmp_path / f"{day}.csv").write_text(f"{day}\n")
    watcher.look(0)
    assert len(watcher.look(60).whole) == HASHED_PER_LOOK
    assert len(watcher.look(61).whole) == len(days)


def test_two_files_of_a_day_are_no_news(tmp_path: Path) -> None:
    watcher = Watcher(tmp_path, "{date}*.csv")
    for name in (f"{DAY}.csv", f"{DAY}-again.csv"):
        (tmp_path / name).write_text("x\n")
    watcher.look(0)
    assert watcher.look(60).whole == []


@pytest.mark.parametrize("memory", [{}, {"a.csv": Seen(1, 2, 3.5)}, {"b.csv": Seen(1, 2, 3.5, "ff")}])
def test_a_cursor_is_read_back(memory: dict[str, Seen]) -> None:
    assert from_cursor(as_cursor(memory)) == memory
    assert from_cursor(None) == {}
