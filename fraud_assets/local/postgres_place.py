"""Where the embedded server of a home keeps what it has: the folder `postgres` in the home.

As root the server's user must be able to reach the data. If the home is closed to it (below /root, say) no folder is
opened up: `postgres` is then a link to a folder of this home below /var/lib, which is root's like its parents, so that
no other user can put anything in its way. What does not live here: anything that knows PostgreSQL.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fraud_assets.local.postgres_account import (
    Account,
    EmbeddedPostgresError,
    account_for_new_data,
    account_of,
    run_as,
)

REACHABLE_ROOT = Path("/var/lib/fraud-assets")
LOG_BYTES = 5_000_000
LOCK_TIMEOUT_SECONDS = 90.0


@dataclass(frozen=True)
class Place:
    """The folder of one server, with the names in it, and the user that runs the server."""

    folder: Path
    account: Account
    binaries: Path

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def password_file(self) -> Path:
        """Port, user and password in libpq's format: `PGPASSFILE` may name it."""
        return self.folder / "pgpass"

    @property
    def settings_file(self) -> Path:
        return self.folder / "fraud_assets.conf"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def open_log(self) -> int:
        """A file descriptor that appends to the log."""
        return _open_owned(self.log, os.O_WRONLY | os.O_APPEND)

    def bound_log(self) -> None:
        """Start the log anew once it is large, keeping one older; safe while a server appends to it."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            write_file(self.log.with_suffix(".log.1"), self.log.read_bytes())
            os.truncate(self.log, 0)

    def log_since(self, position: int) -> str:
        return self.log.read_bytes()[position:].decode(errors="replace") if self.log.exists() else ""

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the only right to start or stop the server; the system takes it back if this process dies.

        The lock is flock's: it excludes threads too, and closes with the descriptor when another program is executed.
        """
        descriptor = _open_owned(self.folder / "lock", os.O_RDWR)
        try:
            self._wait_for(descriptor)
            try:
                yield
            finally:
                fcntl.flock(descriptor, fcntl.LOCK_UN)
        finally:
            os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + LOCK_TIMEOUT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"Another process has been starting or stopping the server in {self.folder} for "
                        f"{LOCK_TIMEOUT_SECONDS:.0f} s; end it and try again."
                    ) from None
                time.sleep(0.02)
            else:
                return


def find_place(home: Path) -> Place | None:
    """The place of a home, or None if it has none yet."""
    entry = home / "postgres"
    if not entry.is_dir():
        if entry.is_symlink():
            raise EmbeddedPostgresError(
                f"The database of {home} was in {entry.readlink()}, which is gone; bring it back, or remove {entry} to "
                "start with an empty one."
            )
        return None
    if entry.is_symlink():
        _refuse_copy(home, entry.resolve())
    folder = entry.resolve()
    account = account_of(folder / "data") if (folder / "data").is_dir() else account_for_new_data()
    return Place(folder, account, _reachable_folder(home) / "binaries")


def make_place(home: Path) -> Place:
    """The place of a home, made if need be. Safe to call from several processes at once."""
    home.mkdir(parents=True, exist_ok=True)
    entry = home / "postgres"
    if not entry.is_symlink():
        account = account_for_new_data()
        if not account.is_other:
            entry.mkdir(mode=0o700, exist_ok=True)
        elif entry.is_dir() or _can_live_in(home, account):
            entry.mkdir(exist_ok=True)
            if entry.stat().st_uid == os.geteuid():
                entry.chmod(0o711)
        else:
            _link_elsewhere(home, entry)
    place = find_place(home)
    if place is None:
        raise EmbeddedPostgresError(f"{entry} was removed while it was being made; try again.")
    return place


def write_file(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file whole, on disk before it is seen, owned by whoever owns its folder."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            os.fchmod(descriptor, mode)
            _hand_over(descriptor, path.parent)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _open_owned(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    _hand_over(descriptor, path.parent)
    return descriptor


def _hand_over(descriptor: int, folder: Path) -> None:
    """Give a file that root makes in a user's folder to that user, who could not use it otherwise."""
    owner = folder.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _can_live_in(home: Path, account: Account) -> bool:
    """Try it: permissions, access control lists and file systems without owners are the system's to judge."""
    probe = Path(tempfile.mkdtemp(prefix=".probe-", dir=home))
    try:
        probe.chmod(0o711)
        owned = probe / "data"
        owned.mkdir(mode=0o700)
        try:
            os.chown(owned, account.uid, account.gid, follow_symlinks=False)
        except OSError:
            return False
        return _run_shell(account, 'cd -- "$1" && test -O .', owned)
    finally:
        shutil.rmtree(probe)


def _run_shell(account: Account, script: str, argument: Path) -> bool:
    try:
        return run_as(account, ["/bin/sh", "-c", script, "sh", argument]).returncode == 0
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL does not run as root, and this root may not become {account.name}; run as an ordinary user, "
            "or set FRAUD_DATABASE_URL."
        ) from error


def _reachable_folder(home: Path) -> Path:
    key = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]
    return REACHABLE_ROOT / key


def make_reachable(folder: Path) -> Path:
    """Make a folder below /var/lib that every user can pass through, none can list and only root can change."""
    for made in (REACHABLE_ROOT, folder):
        try:
            made.mkdir(mode=0o711, parents=True, exist_ok=True)
        except OSError as error:
            raise EmbeddedPostgresError(
                "The server's user cannot reach FRAUD_HOME or the installed programs, and the folder to use instead, "
                f"{made}, cannot be made ({error.strerror}); set FRAUD_HOME to a folder that everyone can pass through."
            ) from error
        status = made.lstat()
        if made.is_symlink() or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise EmbeddedPostgresError(f"{made} is not a folder that only root can change; remove it and try again.")
        made.chmod(0o711)
    return folder


def _link_elsewhere(home: Path, entry: Path) -> None:
    folder = make_reachable(_reachable_folder(home))
    # Whoever makes data has made the link before: data without a link belongs to an earlier home at this path.
    if (folder / "data").exists() and not entry.is_symlink():
        raise EmbeddedPostgresError(
            f"{folder} holds the database of an earlier {home}; remove that folder to start with an empty database, or "
            f"keep it with: ln -s {folder} '{entry}'."
        )
    write_file(folder / "home", os.fsencode(home))
    try:
        entry.symlink_to(folder)
    except FileExistsError:
        return


def _refuse_copy(home: Path, folder: Path) -> None:
    note = folder / "home"
    if not note.exists() or (original := Path(os.fsdecode(note.read_bytes()))) == home:
        return
    if (original / "postgres").resolve() == folder:
        raise EmbeddedPostgresError(
            f"{home} is a copy of {original} and would share its database; remove {home / 'postgres'} to start with an "
            "empty one."
        )
    write_file(note, os.fsencode(home))
