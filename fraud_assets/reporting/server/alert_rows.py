"""A day's alerts from its partition of scored_batch: filtered, sorted and cut into pages by the database.

The day is a bound value of the partition key, so PostgreSQL opens no other partition.
"""

from psycopg import sql

from fraud_assets.reporting.server.frames import frame_of
from fraud_assets.reporting.server.selects import Reading
from fraud_assets.reporting.server.store import AlertOrder, AlertQuery, Alerts, Shown

COLUMNS = (
    *("transaction_id", "transaction_time", "customer_id", "terminal_id", "amount", "score", "rank"),
    *("is_alert", "review_sample", "reason_1", "reason_2", "reason_3"),
)
"""Those that the table lacks, such as the customer where the source names none, are left out."""

_SHOWN = {
    Shown.ALERTS: sql.SQL("is_alert"),
    Shown.REVIEW: sql.SQL("review_sample"),
    Shown.BOTH: sql.SQL("(is_alert OR review_sample)"),
}
_OF_THE_DAY = sql.SQL("partition_key = %s")


def read_alerts(
    reading: Reading, table: str, day: str, query: AlertQuery, limit: int | None, offset: int
) -> Alerts | None:
    """One page of what the query finds; None where no scores of the day are stored."""
    if not reading.has(table):
        return None
    connection, name = reading.connection, reading.name(table)
    scored, of_day = connection.execute(
        sql.SQL("SELECT count(*), count(*) FILTER (WHERE is_alert) FROM {} WHERE {}").format(name, _OF_THE_DAY), [day]
    ).fetchone() or (0, 0)
    if not scored:
        return None
    where, values = _condition(query)
    counted = connection.execute(
        sql.SQL("SELECT count(*) FROM {} WHERE {} AND {}").format(name, _OF_THE_DAY, where), [day, *values]
    ).fetchone()
    statement = sql.SQL("SELECT {} FROM {} WHERE {} AND {} ORDER BY {} LIMIT %s OFFSET %s").format(
        reading.selected(table, [column for column in COLUMNS if column in reading.columns[table]]),
        name,
        _OF_THE_DAY,
        where,
        _order(query, reading.columns[table]),
    )
    rows = frame_of(connection.execute(statement, [day, *values, limit, offset], binary=True))
    return Alerts(rows, counted[0] if counted else 0, of_day)


def _condition(query: AlertQuery) -> tuple[sql.Composable, list[object]]:
    conditions: list[sql.Composable] = [_SHOWN[query.shown]]
    values: list[object] = []
    if query.minimum_amount is not None:
        conditions.append(sql.SQL("amount >= %s"))
        values.append(query.minimum_amount)
    if query.text:
        conditions.append(sql.SQL("position(lower(%s) IN lower(concat_ws(chr(10), reason_1, reason_2, reason_3))) > 0"))
        values.append(query.text)
    return sql.SQL(" AND ").join(conditions), values


def _order(query: AlertQuery, columns: frozenset[str]) -> sql.Composable:
    column = query.order if query.order in columns else AlertOrder.RANK
    direction = sql.SQL("DESC") if query.is_descending else sql.SQL("ASC")
    # Rank and transaction decide between equals, so that no row is on two pages and none is on no page.
    return sql.SQL("{} {} NULLS LAST, rank, transaction_id").format(sql.Identifier(column.value), direction)
