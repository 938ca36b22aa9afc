"""Kept pages: never an old one, made once, and no more memory than is allowed."""

import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fraud_assets.reporting.server.answers import HTML, MOST_AT_ONCE, Answer, KeptAnswers


def answer(text: str) -> Answer:
    return Answer.of(text.encode(), HTML)


def test_a_page_is_made_again_when_what_it_shows_has_changed() -> None:
    kept = KeptAnswers()
    first = kept.answer("page", "1", lambda: answer("old"))
    assert kept.answer("page", "1", lambda: answer("not asked")) is first
    assert kept.answer("page", "2", lambda: answer("new")).body == b"new"
    assert kept.answer("page", "1", lambda: answer("older")).body == b"older"


def test_several_who_ask_at_once_wait_for_one() -> None:
    kept = KeptAnswers()
    made: list[int] = []
    together = threading.Barrier(8)

    def make() -> Answer:
        made.append(1)
        time.sleep(0.05)
        return answer("page")

    def ask(_: int) -> bytes:
        together.wait()
        return kept.answer("page", "1", make).body

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {b"page"}
    assert len(made) == 1


def test_a_page_that_failed_is_tried_again() -> None:
    kept = KeptAnswers()

    def fail() -> Answer:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        kept.answer("page", "1", fail)
    assert kept.answer("page", "1", lambda: answer("yes")).body == b"yes"


def test_what_fails_fails_once_for_all_who_wait() -> None:
    kept = KeptAnswers()
    tried: list[int] = []
    together = threading.Barrier(8)

    def fail() -> Answer:
        tried.append(1)
        time.sleep(0.1)
        raise ValueError("no")

    def ask(_: int) -> str:
        together.wait()
        with pytest.raises(ValueError, match="no") as failed:
            kept.answer("page", "1", fail)
        return str(failed.value)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"no"}
    assert len(tried) == 1


def test_only_a_few_different_pages_are_made_at_a_time() -> None:
    kept = KeptAnswers()
    lock, now, most = threading.Lock(), 0, 0

    def make() -> Answer:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.02)
        with lock:
            now -= 1
        return answer("page")

    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: kept.answer(number, "1", make), range(12)))
    assert most == MOST_AT_ONCE


def test_the_least_recently_asked_leaves_first() -> None:
    kept = KeptAnswers(most_bytes=20)
    first = kept.answer("first", "1", lambda: answer("a" * 9))
    kept.answer("second", "1", lambda: answer("b" * 9))
    assert kept.answer("first", "1", lambda: answer("made anew")) is first
    kept.answer("third", "1", lambda: answer("c" * 9))
    assert kept.answer("second", "1", lambda: answer("made anew")).body == b"made anew"


def test_a_long_page_is_compressed_to_the_same_page() -> None:
    long = answer("<p>the same again</p>" * 200)
    assert long.compressed is not None
    assert len(long.compressed) < len(long.body) / 5
    assert gzip.decompress(long.compressed) == long.body
    assert answer("short").compressed is None
