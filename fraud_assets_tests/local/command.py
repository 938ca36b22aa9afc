"""The command line, called in this process: what it prints and how it exits."""

import os
import sys
from dataclasses import dataclass

import pytest

from fraud_assets.local.cli import main


@dataclass(frozen=True)
class Said:
    """A command's exit code and its two streams."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Command:
    """`fraud-assets`, as a function of its arguments."""

    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    def __call__(self, *arguments: str) -> Said:
        self.patch.setattr(sys, "argv", ["fraud-assets", *arguments])
        self.capture.readouterr()
        code = 0
        environment = dict(os.environ)
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            # A command completes its process's environment for its children; the next test has another one.
            os.environ.clear()
            os.environ.update(environment)
        captured = self.capture.readouterr()
        return Said(code, captured.out, captured.err)
