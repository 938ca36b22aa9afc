"""The real server in a thread, and what it answers: for tests that look at answers, and those that look at pages."""

import http.client
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette

from fraud_assets.reporting.server import ModelFile

MODEL_DAY = "2024-02-09"
MODEL = ModelFile("best_model-2024-02-09-version-1", b"\x80joblib", '{"sha256": "0123"}')


class NoModels:
    """Of one day there is a model."""

    def file_of(self, day: str) -> ModelFile | None:
        return MODEL if day == MODEL_DAY else None


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")


@dataclass(frozen=True)
class Site:
    """A running server."""

    url: str

    def get(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """What it answers; header names with underscores for hyphens."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            found = {name.lower(): text for name, text in answer.getheaders()}
            return Reply(answer.status, found, answer.read())
        finally:
            connection.close()


@contextmanager
def running(app: Starlette) -> Iterator[Site]:
    """The application behind uvicorn on a free port of this machine."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="site", daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Site(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join(20)
