"""Which operating-system user the embedded server runs as, and how to run a program as that user.

PostgreSQL refuses to run as root. An ordinary user runs the server as itself. Root drops to `postgres`, which an
administrator has already trusted with databases, else to `nobody`; a data folder that exists stays with its owner.
What does not live here: where the data is (`postgres_place`) and what is run (`postgres_binaries`, `postgres_process`).
"""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER_ACCOUNTS = ("postgres", "nobody")


class EmbeddedPostgresError(Exception):
    """The embedded server cannot be had; the message is one sentence that says why and what to do."""


@dataclass(frozen=True)
class Account:
    """A user and group id of the operating system."""

    uid: int
    gid: int

    @property
    def is_other(self) -> bool:
        """Whether this process must change its user to act as the account; only root can."""
        return self.uid != os.geteuid()

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return f"user {self.uid}"


def account_for_new_data() -> Account:
    """Who is to own a data folder that does not exist yet."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in SERVER_ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and neither the user postgres nor nobody exists here; create the user "
        "postgres, run as an ordinary user, or set FRAUD_DATABASE_URL."
    )


def account_of(data: Path) -> Account:
    """Who owns an existing data folder. Raises `EmbeddedPostgresError` if this process cannot act as that user."""
    status = data.stat()
    owner = Account(status.st_uid, status.st_gid)
    if owner.uid == 0:
        raise EmbeddedPostgresError(
            f"{data} belongs to root, as whom PostgreSQL does not run; give it to another user with chown -R."
        )
    if owner.is_other and os.geteuid() != 0:
        raise EmbeddedPostgresError(f"{data} belongs to {owner.name}; run as that user, or set FRAUD_HOME elsewhere.")
    return owner


def run_as(
    account: Account, arguments: Sequence[str | Path], *, log: int | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end as the account, in a session of its own, and return its output.

    Standard error is captured too, or goes to the file descriptor `log`. The environment is minimal: neither the
    caller's secrets nor its `PG*` variables reach the server. Raises `OSError` if the program cannot be executed.
    """
    inherited = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in inherited if name in os.environ}
    return subprocess.run(  # noqa: S603 - the arguments are ours, and no shell interprets them
        [str(argument) for argument in arguments],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if log is None else log,
        encoding="utf-8",
        errors="replace",
        # The caller's folder may be closed to the account; LC_ALL and TZ keep initdb from reading the machine's.
        cwd="/",
        env={**environment, "LC_ALL": "C", "TZ": "UTC"},
        user=account.uid if account.is_other else None,
        group=account.gid if account.is_other else None,
        extra_groups=[] if account.is_other else None,
        umask=0o077,
        start_new_session=True,
    )
