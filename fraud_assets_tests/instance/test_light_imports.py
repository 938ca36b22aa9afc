"""What every process of Dagster loads is cheap to import: the web server and the daemon have no use for frames."""

import json
import subprocess
import sys

HEAVY = ("pandas", "pyarrow", "sklearn", "pydantic_settings")
IMPORT_ALL = f"""
import json, sys
import fraud_assets.instance.launcher, fraud_assets.instance.storage
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""


def test_what_dagster_yaml_names_brings_no_frames() -> None:
    run = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == []
