"""While the database is down pages say so and try again; when it is back they are there, without a restart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fraud_assets.local.embedded import ensure_running, stop
from fraud_assets.reporting.server import PostgresStore, create_app
from fraud_assets_tests.conftest import FAST
from fraud_assets_tests.reporting.server.looks import watched_page
from fraud_assets_tests.reporting.server.made_history import SCHEMA, MadeHistory
from fraud_assets_tests.reporting.server.site import running


def test_pages_come_back_with_the_database(new_home: Callable[[str], Path], made: MadeHistory) -> None:
    home = new_home("down")
    server = ensure_running(home, FAST)
    few = replace(made, count=3)
    few.fill(server.url("postgres"))
    day = few.days[-1]
    paths = ("/", f"/days/{day}", "/models", f"/alerts/{day}", f"/alerts/{day}.csv")
    app = create_app(PostgresStore(server.url("postgres"), SCHEMA))
    with running(app) as site, watched_page(site.url) as watched:
        assert [site.get(path).status for path in paths] == [200] * len(paths)
        stop(home)
        for path in paths:
            reply = site.get(path)
            assert (path, reply.status) == (path, 503)
            assert int(reply.headers["retry-after"]) > 0
            assert "does not answer" in reply.text
            assert 'http-equiv="refresh"' in reply.text
            assert server.password not in reply.text
        unwell = site.get("/healthz")
        assert (unwell.status, json.loads(unwell.body)["status"]) == (503, "unavailable")
        assert site.get("/static/none").status == 404, "what needs no database is served"
        watched.page.goto(site.url)
        watched.page.get_by_text("does not answer").wait_for()
        again = ensure_running(home, FAST)
        assert again.url("postgres") == server.url("postgres")
        # The page that is open comes back by itself.
        watched.page.get_by_role("heading", name="History", exact=True).wait_for()
        watched.drawn()
        assert [site.get(path).status for path in paths] == [200] * len(paths)
        assert site.get("/healthz").status == 200
