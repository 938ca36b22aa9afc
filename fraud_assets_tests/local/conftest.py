"""What the tests of the command line share."""

import pytest

from fraud_assets_tests.local.command import Command


@pytest.fixture
def fraud_assets(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(monkeypatch, capsys)
