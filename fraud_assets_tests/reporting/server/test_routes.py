"""What the server answers: statuses, headers, and pages that help where there is nothing to show."""

import csv
import gzip
import io
import json
import zipfile
from dataclasses import replace

import psycopg
import pytest

from fraud_assets.local.ports import names_of
from fraud_assets.reporting.server import PostgresStore, create_app
from fraud_assets.reporting.server.headers import POLICY
from fraud_assets.reporting.server.postgres_store import OF_A_DAY, WITH_DAYS
from fraud_assets_tests.reporting.server import made_day
from fraud_assets_tests.reporting.server.made_history import ALERTS, SCHEMA, MadeHistory
from fraud_assets_tests.reporting.server.made_tables import Tables
from fraud_assets_tests.reporting.server.site import MODEL, MODEL_DAY, Site, running


def every_path(made: MadeHistory) -> list[tuple[str, int]]:
    newest = made.days[-1]
    return [
        ("/", 200),
        ("/?from=2024-01-10&to=2024-01-20&model=ensemble&metric=roc_auc", 200),
        (f"/days/{made.days[-2]}", 200),
        (f"/days/{newest}", 200),
        ("/models", 200),
        (f"/models/{MODEL_DAY}/download", 200),
        (f"/alerts/{newest}", 200),
        (f"/alerts/{newest}.csv", 200),
        ("/healthz", 200),
        ("/favicon.ico", 307),
        ("/days/2019-01-01", 404),
        ("/alerts/2024-01-01", 404),
        ("/models/2019-01-01/download", 404),
        ("/static/plotly-0.min.js", 404),
        ("/nowhere", 404),
        ("/days/2024-02-31", 400),
        ("/alerts/yesterday", 400),
        ("/?from=2024-02-31", 400),
        (f"/alerts/{newest}?sort=password", 400),
    ]


def test_every_answer_has_its_status_and_the_strict_headers(site: Site, made: MadeHistory) -> None:
    for path, status in every_path(made):
        reply = site.get(path)
        assert (path, reply.status) == (path, status)
        assert reply.headers["content-security-policy"] == POLICY
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert "camera=()" in reply.headers["permissions-policy"]
        assert "server" not in reply.headers
    assert "unsafe" not in POLICY


def test_head_is_a_get_without_a_body(site: Site, made: MadeHistory) -> None:
    for path, status in every_path(made):
        reply = site.get(path, method="HEAD")
        assert (path, reply.status, reply.body) == (path, status, b"")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_sent(site: Site, method: str) -> None:
    reply = site.get("/", method=method)
    assert reply.status == 405
    assert "GET" in reply.headers["allow"]
    assert reply.headers["content-security-policy"] == POLICY


def test_a_page_that_the_browser_has_is_not_sent_again(site: Site) -> None:
    first = site.get("/", Accept_Encoding="gzip")
    assert first.headers["content-encoding"] == "gzip"
    assert b"</html>" in gzip.decompress(first.body)
    again = site.get("/", Accept_Encoding="gzip", If_None_Match=first.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    plain = site.get("/", If_None_Match=first.headers["etag"])
    assert plain.status == 200, "the other encoding is another body"
    assert gzip.decompress(first.body) == plain.body


def test_a_changed_table_shows_at_once(new_database: str, made: MadeHistory) -> None:
    few = replace(made, count=4)
    few.fill(new_database, scored=1, pointed=1)
    with running(create_app(PostgresStore(new_database, SCHEMA))) as site:
        before = site.get("/")
        assert "a quite new sentence" not in before.text
        summary = few.summary()[-1:].assign(decision="a quite new sentence")
        with psycopg.connect(new_database, autocommit=True) as connection:
            Tables(connection, SCHEMA).replace("daily_summary", few.days[-1], summary)
        after = site.get("/", If_None_Match=before.headers["etag"])
        assert after.status == 200
        assert "a quite new sentence" in after.text


def test_static_files_are_named_by_their_content_and_kept_for_good(site: Site) -> None:
    page = site.get("/").text
    addresses = [part.split('"')[0] for part in page.split('"/static/')[1:]]
    assert any(address.startswith("plotly-") and address.endswith(".min.js") for address in addresses)
    for address in addresses:
        reply = site.get(f"/static/{address}", Accept_Encoding="gzip")
        assert reply.status == 200
        assert "immutable" in reply.headers["cache-control"]
        assert "max-age=31536000" in reply.headers["cache-control"]


def test_a_day_without_anything_leads_to_days_near_it(site: Site, made: MadeHistory) -> None:
    before, after = site.get("/days/2019-01-01").text, site.get("/days/2030-01-01").text
    assert f'href="/days/{made.days[0]}"' in before
    assert f'href="/days/{made.days[-1]}"' in before
    assert f'href="/days/{made.days[-1]}"' in after


def test_a_stored_report_stands_in_the_frame_of_the_site(site: Site, made: MadeHistory) -> None:
    page = site.get(f"/days/{made.days[-2]}").text
    assert page.count("<main") == page.count("</main>") == page.count("<html") == 1
    assert "<style" not in page
    assert f'href="/days/{made.days[-3]}"' in page
    assert f'href="/days/{made.days[-1]}"' in page
    assert 'id="precision-recall"' in page


def test_alerts_come_as_csv_as_they_were_filtered(site: Site, made: MadeHistory) -> None:
    day = made.days[-1]
    everything = site.get(f"/alerts/{day}.csv")
    assert everything.headers["content-disposition"] == f'attachment; filename="alerts-{day}.csv"'
    rows = list(csv.DictReader(io.StringIO(everything.body.decode("utf-8-sig"))))
    assert len(rows) == ALERTS
    assert any(row["reason_1"].startswith("'=cmd") for row in rows)
    few = site.get(f"/alerts/{day}.csv?amount=100&sort=amount&order=desc")
    amounts = [float(row["amount"]) for row in csv.DictReader(io.StringIO(few.body.decode("utf-8-sig")))]
    assert amounts == sorted((float(row["amount"]) for row in rows if float(row["amount"]) >= 100), reverse=True)


def test_a_model_is_taken_away(site: Site) -> None:
    reply = site.get(f"/models/{MODEL_DAY}/download")
    assert reply.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(reply.body)) as archive:
        assert archive.read("model.joblib") == MODEL.content
    assert f'href="/models/{MODEL_DAY}/download"' in site.get("/models").text


def test_health_says_what_there_is(site: Site, made: MadeHistory) -> None:
    reply = site.get("/healthz")
    assert json.loads(reply.body) == {"status": "ok", "days": len(made.days), "newest_day": made.days[-1]}
    assert reply.headers["cache-control"] == "no-store"


def test_where_nothing_is_stored_the_pages_say_what_to_do(new_database: str) -> None:
    with running(create_app(PostgresStore(new_database, SCHEMA))) as site:
        assert "fraud-assets run --date" in site.get("/").text
        assert "Materialize evaluation_table" in site.get("/models").text
        assert site.get("/days/2024-01-01").status == 404
        assert json.loads(site.get("/healthz").body)["days"] == 0


def test_a_page_that_fails_says_so_with_the_headers_of_all(new_database: str) -> None:
    with psycopg.connect(new_database, autocommit=True) as connection:
        connection.execute("CREATE TABLE performance_report (html text, partition_key text, row_ordinal int)")
        connection.execute("INSERT INTO performance_report VALUES ('no report', '2024-01-01', 0)")
    with running(create_app(PostgresStore(new_database, "public"))) as site:
        reply = site.get("/days/2024-01-01")
        assert reply.status == 500
        assert "This page failed" in reply.text
        assert "Traceback" not in reply.text
        assert reply.headers["content-security-policy"] == POLICY
        assert site.get("/").status == 200


def test_it_answers_to_its_own_names_only(new_database: str) -> None:
    """A page elsewhere whose name leads here could read everything through the browser of somebody who may."""
    names = names_of("127.0.0.1", "https://fraud.example.com/")
    with running(create_app(PostgresStore(new_database, SCHEMA), hosts=names)) as site:
        for name in ("localhost:3001", "127.0.0.1", "[::1]:3001", "fraud.example.com"):
            assert site.get("/", Host=name).status == 200, name
        for name in ("attacker.example.com", "fraud.example.com.attacker.example.com:3001", ""):
            reply = site.get("/", Host=name)
            assert reply.status == 400, name
            assert reply.headers["content-security-policy"] == POLICY
    assert names_of("0.0.0.0", None) == ["*"]


def test_a_day_of_which_only_scores_or_ages_are_stored_is_a_page(new_database: str, made: MadeHistory) -> None:
    few = replace(made, count=3)
    few.fill(new_database, scored=3, pointed=1)
    scored, aged = few.days[:2]
    with psycopg.connect(new_database, autocommit=True) as connection:
        tables = Tables(connection, SCHEMA)
        for day in (scored, aged):
            for table in (*WITH_DAYS, *(OF_A_DAY if day == scored else ())):
                tables.remove(table, day)
        connection.execute(f"DELETE FROM {SCHEMA}.scored_batch WHERE partition_key = %s".encode(), [aged])
        connection.execute(f"UPDATE {SCHEMA}.scored_batch SET is_alert = false".encode())
        tables.replace("label_maturity", aged, made_day.maturity())
    with running(create_app(PostgresStore(new_database, SCHEMA))) as site:
        page = site.get(f"/days/{scored}").text
        assert "No transaction of the day is an alert." in page
        assert "Search results" not in page, "nobody knows yet whether there had to be a search"
        assert "By which age of a transaction its label was known" in site.get(f"/days/{aged}").text
        assert site.get("/days/2019-01-01").status == 404


def test_a_page_of_alerts_after_the_last_is_none(site: Site, made: MadeHistory) -> None:
    reply = site.get(f"/alerts/{made.days[-1]}?page=50")
    assert reply.status == 404
    assert "There is no page 50: of this there " in reply.text


def test_a_day_under_way_does_not_hide_the_last_finished_one(new_database: str, made: MadeHistory) -> None:
    few = replace(made, count=3)
    few.fill(new_database, scored=1, pointed=1)
    with psycopg.connect(new_database, autocommit=True) as connection:
        Tables(connection, SCHEMA).remove("daily_summary", few.days[-1])
    with running(create_app(PostgresStore(new_database, SCHEMA))) as site:
        page = site.get("/").text
    headline = page[page.index('class="decision"') :][:300]
    assert few.days[-2] in headline
    assert few.days[-1] not in headline
    assert f'href="/days/{few.days[-1]}"' in page
