"""The report server as an application: every route in one list, and how it is run.

What does not live here: what a route answers (`site`).
"""

import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.routing import Route

from fraud_assets.reporting.server.asked import BadRequest
from fraud_assets.reporting.server.downloads import ModelFiles
from fraud_assets.reporting.server.headers import SecurityHeaders
from fraud_assets.reporting.server.problems import NoSuchPage
from fraud_assets.reporting.server.site import Site
from fraud_assets.reporting.server.store import Store, StoreUnavailable

SECONDS_TO_END = 5


def create_app(
    store: Store, models: ModelFiles | None = None, hosts: Sequence[str] = ("*",), root: str = ""
) -> Starlette:
    """The pages over a store; without `models` there is nothing to download at /models. Closes the store at its end.

    `hosts` are the names by which it may be asked for, any by default: a page elsewhere whose name leads to this
    machine could otherwise read everything through somebody's browser. `root` is the path below which people find it,
    such as /reports, where something in front takes it off again.
    """
    site = Site(store, models, root)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            store.close()

    problems = (NoSuchPage, BadRequest, StoreUnavailable, psycopg.OperationalError, HTTPException, Exception)
    app = Starlette(
        routes=[
            Route("/", site.history),
            Route("/days/{day}", site.day),
            Route("/models", site.models),
            Route("/models/{day}/download", site.model_file),
            # Before the page: its day would be taken to end in .csv.
            Route("/alerts/{day}.csv", site.alerts_csv),
            Route("/alerts/{day}", site.alerts),
            Route("/healthz", site.health),
            Route("/static/{name}", site.file),
            Route("/favicon.ico", site.icon),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(TrustedHostMiddleware, allowed_hosts=[*hosts], www_redirect=False),
        ],
        exception_handlers=dict.fromkeys(problems, site.problem),
        lifespan=lifespan,
    )
    # A redirect of its own would name the host and the path as they are behind a proxy, not as people ask for them.
    app.router.redirect_slashes = False
    return app


def serve(app: Starlette, host: str = "127.0.0.1", port: int = 3001) -> None:
    """Serve until SIGTERM or SIGINT; requests under way then have `SECONDS_TO_END` seconds to end, and this returns.

    Raises `SystemExit` when the port is taken. Signals reach it in a process's main thread only.
    """
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_graceful_shutdown=SECONDS_TO_END,
    )
    # uvicorn raises the signal once more when it has ended in order: to be killed by it then would look like a failure.
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run()
    finally:
        signal.signal(signal.SIGTERM, before)
