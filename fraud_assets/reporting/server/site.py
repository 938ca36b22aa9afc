"""What each route answers: the request is checked, the store asked, a template told, the answer kept.

What does not live here: what is on a page (the `*_page` modules), and which path leads where (`app`).
"""

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import replace
from typing import Any

from jinja2 import ChoiceLoader, PackageLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from fraud_assets.reporting.day.frames import model_name
from fraud_assets.reporting.sections import cell, environment
from fraud_assets.reporting.server.alerts_page import MOST_DRAWN, ROWS_A_PAGE, alerts_page
from fraud_assets.reporting.server.answers import HTML, Answer, KeptAnswers
from fraud_assets.reporting.server.asked import Metric, amount_text, asked_alerts, asked_day, asked_history
from fraud_assets.reporting.server.day_page import day_content, neighbours
from fraud_assets.reporting.server.downloads import ModelFiles, alerts_csv, model_archive
from fraud_assets.reporting.server.files import FOREVER, Files
from fraud_assets.reporting.server.headers import SECURITY
from fraud_assets.reporting.server.history_page import history_page
from fraud_assets.reporting.server.models_page import models_page
from fraud_assets.reporting.server.problems import NoSuchPage, problem_of
from fraud_assets.reporting.server.store import AlertOrder, Store, StoreUnavailable
from fraud_assets.reporting.style import metric_style

NEVER_KEPT = "private, no-store"


class Site:
    """The routes' endpoints; plain functions, which Starlette runs in threads."""

    def __init__(self, store: Store, models: ModelFiles | None, root: str = "") -> None:
        self._store = store
        self._models = models
        self._files = Files(root)
        self._kept = KeptAnswers()
        self._environment = environment.overlay(
            loader=ChoiceLoader([PackageLoader(__package__), environment.loader or PackageLoader(__package__)])
        )
        # A dict of its own: an overlay shares that of what it lies over.
        self._environment.globals = {
            **self._environment.globals,
            "root": root,
            "static": self._files.address,
            "style_marks": self._files.style_marks,
            "model_name": model_name,
            "cell": cell,
            "amount_text": amount_text,
        }

    def history(self, request: Request) -> Response:
        asked = asked_history(request.query_params)

        def page() -> str:
            history = self._store.history(asked.days, asked.metric)
            return self._written(
                "history.html",
                page=history_page(history, asked),
                asked=asked,
                days=self._store.days(),
                models=self._store.models(),
                metrics={metric.value: metric_style(metric).name for metric in Metric},
            )

        return self._page(request, ("history", asked), page)

    def day(self, request: Request) -> Response:
        day = asked_day(request.path_params["day"])

        def page() -> str:
            days = self._store.days()
            content = day_content(self._store, day)
            if content is None:
                raise NoSuchPage(f"Nothing that a report could show is stored of {day}.", neighbours(days, day))
            return self._written(
                "day.html", day=day, content=content, around=neighbours(days, day), models=self._models
            )

        return self._page(request, ("day", day), page, day)

    def models(self, request: Request) -> Response:
        def page() -> str:
            board = models_page(self._store.leaderboard())
            return self._written("models.html", page=board, has_files=self._models is not None)

        return self._page(request, "models", page)

    def model_file(self, request: Request) -> Response:
        day = asked_day(request.path_params["day"])
        found = None if self._models is None else self._models.file_of(day)
        if found is None:
            reason = "This server hands out no models." if self._models is None else f"No model of {day} is stored."
            raise NoSuchPage(reason, neighbours(self._store.days(), day))
        name = f"fraud-model-{day}.zip"
        return Response(model_archive(day, found), headers=_attachment(name), media_type="application/zip")

    def alerts(self, request: Request) -> Response:
        day, asked = asked_day(request.path_params["day"]), asked_alerts(request.query_params)

        def page() -> str:
            found = self._store.alerts(day, asked.query, ROWS_A_PAGE, (asked.page - 1) * ROWS_A_PAGE)
            days = self._store.days()
            if found is None:
                raise NoSuchPage(f"No scores of {day} are stored.", neighbours(days, day))
            pages = max(1, -(-found.total // ROWS_A_PAGE))
            if asked.page > pages:
                there = "is one page" if pages == 1 else f"are {pages:,} pages"
                raise NoSuchPage(f"There is no page {asked.page:,}: of this there {there}.", neighbours(days, day))
            highest = replace(asked.query, order=AlertOrder.SCORE, is_descending=True)
            drawn = self._store.alerts(day, highest, MOST_DRAWN)
            assert drawn is not None
            told = alerts_page(found, drawn.rows, asked)
            return self._written("alerts.html", day=day, asked=asked, page=told, around=neighbours(days, day))

        return self._page(request, ("alerts", day, asked), page)

    def alerts_csv(self, request: Request) -> Response:
        day, asked = asked_day(request.path_params["day"]), asked_alerts(request.query_params)
        found = self._store.alerts(day, asked.query)
        if found is None:
            raise NoSuchPage(f"No scores of {day} are stored.", neighbours(self._store.days(), day))
        return Response(
            alerts_csv(found.rows), headers=_attachment(f"alerts-{day}.csv"), media_type="text/csv; charset=utf-8"
        )

    async def health(self, request: Request) -> Response:
        # In threads of their own: that pages are waited for must not look like a server that is down.
        return await asyncio.to_thread(self._health)

    def _health(self) -> Response:
        try:
            days = self._store.days()
        except StoreUnavailable as error:
            told: dict[str, Any] = {"status": "unavailable", "reason": str(error)}
            return JSONResponse(told, 503, {"Cache-Control": "no-store"})
        told = {"status": "ok", "days": len(days), "newest_day": days[-1] if days else None}
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    async def file(self, request: Request) -> Response:
        answer = await asyncio.to_thread(self._files.answer, request.path_params["name"])
        if answer is None:
            raise NoSuchPage("There is no such file.")
        return answer.response(request, caching=FOREVER)

    def icon(self, request: Request) -> Response:
        """Browsers ask for it by this name whatever a page says."""
        return RedirectResponse(self._files.address("favicon.svg"), 307)

    def problem(self, request: Request, error: Exception) -> Response:
        """The page that says what went wrong and what to do, or that it tries again by itself."""
        problem = problem_of(error)
        page = self._written("problem.html", problem=problem)
        # An error that nobody expected passes no middleware: its page brings the headers itself.
        return HTMLResponse(page, problem.status, {"Cache-Control": "no-store", **problem.headers, **SECURITY})

    def _written(self, template: str, /, **told: Any) -> str:
        return self._environment.get_template(template).render(**told)

    def _page(self, request: Request, asked: Hashable, make: Any, day: str | None = None) -> Response:
        # Asked for before the page is made: what changes in between makes the page old, never the other way round.
        state = self._store.state(day)
        answer = self._kept.answer(asked, state, lambda: Answer.of(make().encode(), HTML))
        return answer.response(request)


def _attachment(name: str) -> Mapping[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": NEVER_KEPT}
