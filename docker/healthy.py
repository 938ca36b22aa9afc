"""Whether a service of the containers is well: exit code 0, or 1 and a sentence. Light, as it runs every few seconds.

healthy.py tcp PORT       somebody listens on the port
healthy.py http URL       the address answers with a status below 400
healthy.py daemon         Dagster's daemon was heard of in its database within the last minutes
"""

import os
import socket
import sys
import urllib.request

HEARD_WITHIN = "3 minutes"


def check_port(port: int) -> None:
    """Raises `OSError` where nobody listens."""
    socket.create_connection(("127.0.0.1", port), timeout=3).close()


def check_answer(url: str) -> None:
    """Raises `OSError` without an answer, or for one that tells of an error."""
    urllib.request.urlopen(url, timeout=4).close()  # noqa: S310  an address of this container


def check_daemon() -> None:
    """Raises `OSError` where the daemon has not been heard of."""
    import psycopg

    with psycopg.connect(os.environ["FRAUD_DAGSTER_DATABASE_URL"], connect_timeout=4) as connection:
        row = connection.execute(
            "SELECT count(*) FROM daemon_heartbeats WHERE timestamp > now() AT TIME ZONE 'UTC' - %s::interval",
            [HEARD_WITHIN],
        ).fetchone()
    if row is None or row[0] == 0:
        raise OSError(f"Dagster's daemon was not heard of within {HEARD_WITHIN}.")


def main(what: str, *arguments: str) -> None:
    """Check one thing."""
    if what == "tcp":
        check_port(int(arguments[0]))
    elif what == "http":
        check_answer(arguments[0])
    else:
        check_daemon()


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Exception as error:
        sys.exit(f"{type(error).__name__}: {error}")
