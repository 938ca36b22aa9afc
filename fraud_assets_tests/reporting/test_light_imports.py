"""Figures and pages are cheap to import: a report server has to fit into little memory."""

import json
import subprocess
import sys

HEAVY = ("sklearn", "scipy.stats", "dagster")
IMPORT_ALL = f"""
import importlib, json, pkgutil, sys
import fraud_assets.reporting as room
found = [module.name for module in pkgutil.walk_packages(room.__path__, room.__name__ + ".")]
for name in found:
    importlib.import_module(name)
print(json.dumps([found, [name for name in {HEAVY} if name in sys.modules]]))
"""


def test_no_module_of_the_room_brings_what_only_learning_and_assets_need() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    found, heavy = json.loads(run.stdout)
    assert "fraud_assets.reporting.figures.curves" in found
    assert heavy == []
