"""The server as a process of its own: small, and ends in order."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from fraud_assets_tests.reporting.server.made_history import SCHEMA

MODULES = "import json, sys, fraud_assets.reporting.server; print(json.dumps(sorted(sys.modules)))"
SERVE = """
import sys
from fraud_assets.reporting.server import PostgresStore, create_app, serve
serve(create_app(PostgresStore(sys.argv[1], sys.argv[2])), "127.0.0.1", int(sys.argv[3]))
"""


def test_neither_dagster_nor_scikit_learn_is_imported() -> None:
    printed = subprocess.run([sys.executable, "-c", MODULES], check=True, capture_output=True, text=True).stdout
    heavy = {"dagster", "sklearn", "scipy", "kaleido", "joblib", "sqlalchemy", "fraud_assets.learning"}
    assert heavy.isdisjoint(json.loads(printed))


def test_it_serves_until_it_is_asked_to_end(made_url: str, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    for number in (signal.SIGTERM, signal.SIGINT):
        with (tmp_path / "said").open("w+") as said:
            command = [sys.executable, "-c", SERVE, made_url, SCHEMA, str(port)]
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
            try:
                assert _status(process, port) == 200
                process.send_signal(number)
                assert process.wait(20) == 0
            finally:
                process.kill()
                process.wait()
            said.seek(0)
            assert said.read() == ""


def _status(process: "subprocess.Popen[bytes]", port: int) -> int:
    """Of the history page, as soon as the server answers."""
    for _ in range(300):
        assert process.poll() is None
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/")
            return connection.getresponse().status
        except ConnectionRefusedError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise TimeoutError("the server did not answer")
