"""Makes the secrets of the containers on their first start, and hands each service the files that it needs.

    secret_files.py               make what is missing, check what is there, hand out
    secret_files.py rotate NAME   a new value for one (`--value` reads it from standard input), and hand out
    secret_files.py settled       the models are signed anew: forget the signing key of before
    secret_files.py show NAME     print one
    secret_files.py export        all of them as a tar archive, to standard output
    secret_files.py import        put such an archive, from standard input, in their place

Runs as root in a container of its own, without a network. Below /secrets are the originals, which nobody else sees;
below /for a folder for each service, whose files belong to its user and are readable by nobody else. Files of the
operator's (certificates, passwords of another server, a list of logins) are below /given.
"""

import base64
import hashlib
import hmac
import os
import re
import secrets
import ssl
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

ORIGINALS = Path(os.environ.get("FRAUD_SECRETS", "/secrets"))
HANDED_OUT = Path(os.environ.get("FRAUD_HANDED_OUT", "/for"))
GIVEN = Path(os.environ.get("FRAUD_GIVEN", "/given"))

ROLES = {"owner": "fraud_owner", "writer": "fraud_writer", "dagster": "fraud_dagster", "reader": "fraud_reader"}
URLS = {
    "owner": "FRAUD_OWNER_DATABASE_URL",
    "writer": "FRAUD_DATABASE_URL",
    "dagster": "FRAUD_DAGSTER_DATABASE_URL",
    "reader": "FRAUD_REPORTS_DATABASE_URL",
}
PASSWORDS = (*ROLES, "superuser", "login")
KEYS = ("signing", "pseudonym")
SIGNING_BEFORE = "signing.before"
SERVICES = {
    "prepare": ("owner", "writer", "dagster", "reader"),
    "code": ("writer", "dagster"),
    "dagster": ("dagster",),
    "reports": ("reader",),
}
"""By folder, the roles whose passwords a service is handed."""
FRAUD_UID = 10001
NGINX_UID = 10002
POSTGRES_UID = int(os.environ.get("POSTGRES_UID", "999"))
ITERATIONS = 4096
BCRYPT_ROUNDS = 10
LOGIN = re.compile(r"[^:\s]+:\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")


class Refusal(Exception):
    """What is there cannot be used; the message is the sentence to print."""


# -- the originals ---------------------------------------------------------------------------------------


def make_missing() -> list[str]:
    """Make each secret that is not there; returns their names."""
    made = [name for name in (*PASSWORDS, *KEYS) if not (ORIGINALS / name).exists()]
    if made and (ORIGINALS / "complete").exists():
        raise Refusal(
            f"The secret {made[0]} is gone from the volume of the secrets, whose others are there; put it back with "
            f"docker/restore, or make a new one with docker/rotate {made[0]}."
        )
    for name in made:
        keep(name, new_value(name))
    keep("complete", "yes")
    return made


def new_value(name: str) -> str:
    """A random password, or a random key."""
    return secrets.token_hex(32) if name in KEYS else secrets.token_urlsafe(24)


def keep(name: str, value: str) -> None:
    write(ORIGINALS / name, value + "\n", os.getuid())


def kept(name: str) -> str:
    """A secret's value. Raises `Refusal` for one that cannot be what was written."""
    path = ORIGINALS / name
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError as error:
        raise Refusal(
            f"There is no secret {name}; docker/up makes those that are missing on the first start."
        ) from error
    except UnicodeDecodeError as error:
        raise broken(name, "is no text") from error
    if path.stat().st_mode & 0o077:
        raise broken(name, f"may be read by others (its mode is {path.stat().st_mode & 0o777:o})")
    lines = text.splitlines()
    if len(lines) != 1 or not lines[0].strip():
        raise broken(name, "is empty" if not text.strip() else "has more than one line")
    if not all(" " < letter <= "~" for letter in lines[0]):
        raise broken(name, "has blanks or control characters")
    return lines[0]


def broken(name: str, what: str) -> Refusal:
    return Refusal(
        f"The secret {name} {what}; put it back with docker/restore, or make a new one with docker/rotate {name}."
    )


def rotate(name: str, value: str | None) -> None:
    """Give one secret a new value; the signing key of before is kept until the models are signed anew."""
    if name not in (*PASSWORDS, *KEYS):
        raise Refusal(f"There is no secret {name!r}; there are {', '.join((*PASSWORDS, *KEYS))}.")
    if value is not None and len(value) < 12:
        raise Refusal("The new value has fewer than 12 characters; take a longer one.")
    if name == "signing":
        if (ORIGINALS / SIGNING_BEFORE).exists():
            raise Refusal(
                "The models are not signed anew since the last change of the key; run docker/rotate signing --resume."
            )
        keep(SIGNING_BEFORE, kept("signing"))
    keep(name, value or new_value(name))
    kept(name)


def write(path: Path, content: str | bytes, owner: int) -> None:
    """A whole file in the place of the one before, for its owner's eyes only."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        os.fsync(file.fileno())
    os.chown(draft, owner, owner)
    draft.rename(path)


# -- what each service is handed -------------------------------------------------------------------------


def hand_out() -> None:
    """Give each service its files. Raises `Refusal` before anything is changed where something cannot be used."""
    files = {
        "postgres": (POSTGRES_UID, dict(postgres_files())),
        "nginx": (NGINX_UID, dict(nginx_files())),
        **{service: (FRAUD_UID, dict(service_files(service))) for service in SERVICES},
    }
    for service, (owner, contents) in files.items():
        folder = HANDED_OUT / service
        if not folder.is_dir():  # a server of the operator's own has no such service
            continue
        for path in folder.iterdir():
            if path.name not in contents:
                path.unlink()
        for name, content in contents.items():
            write(folder / name, content, owner)
        os.chown(folder, owner, owner)
        folder.chmod(0o500)


def postgres_files() -> Iterator[tuple[str, str]]:
    yield "superuser", kept("superuser")
    yield "roles.sql", "".join(roles_sql())


def roles_sql() -> Iterator[str]:
    """SQL that may run again: roles, their passwords (as verifiers: statements can end up in logs), and databases."""
    yield "SET client_min_messages = warning;\n"
    for name, role in ROLES.items():
        yield f"SELECT 'CREATE ROLE {role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"
        yield f"ALTER ROLE {role} LOGIN PASSWORD '{verifier(kept(name))}';\n"
    yield "ALTER ROLE fraud_reader SET default_transaction_read_only = on;\n"
    yield "GRANT fraud_writer TO fraud_owner;\n"
    for database, owner in (("fraud", "fraud_owner"), ("dagster", "fraud_dagster")):
        yield (
            f"SELECT 'CREATE DATABASE {database} OWNER {owner}'"
            f" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}') \\gexec\n"
        )
        yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC;\n"
    yield "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;\n"
    yield "GRANT CONNECT, TEMPORARY ON DATABASE fraud TO fraud_writer;\n"
    yield "GRANT CONNECT ON DATABASE fraud TO fraud_reader;\n"


def verifier(password: str) -> str:
    """What PostgreSQL keeps of a password, after RFC 5803: the password cannot be told from it."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    parts = (salt, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256"))
    written_salt, stored, server = (base64.b64encode(part).decode() for part in parts)
    return f"SCRAM-SHA-256${ITERATIONS}:{written_salt}${stored}:{server}"


def service_files(service: str) -> Iterator[tuple[str, str]]:
    yield "pgpass", "".join(passwords_for(service))
    certificate = given("database-ca")
    if certificate is not None:
        yield "database-ca.pem", certificate
    if service == "code":
        yield "signing.key", kept("signing")
        yield "pseudonym.key", kept("pseudonym")
        if (ORIGINALS / SIGNING_BEFORE).exists():
            yield SIGNING_BEFORE, kept(SIGNING_BEFORE)
        webhook = given("webhook")
        if webhook is not None:
            yield "webhook", webhook


def passwords_for(service: str) -> Iterator[str]:
    """Lines of libpq's password file: those of the bundled server's roles, or the operator's own of the same roles."""
    own = given("pgpass")
    wanted = SERVICES[service]
    if own is None:
        for name in wanted:
            yield f"postgres:5432:*:{ROLES[name]}:{kept(name)}\n"
        return
    roles = {role_of(URLS[name]) for name in wanted}
    lines = [line for line in own.splitlines() if line and not line.startswith("#")]
    for number, line in enumerate(lines, 1):
        if len(fields := re.split(r"(?<!\\):", line)) != 5:
            raise Refusal(
                f"Line {number} of FRAUD_PGPASS is not of the form host:port:database:role:password; write it so."
            )
        if fields[3] in roles | {"*"}:
            yield line + "\n"
    missing = sorted(role for role in roles if not any(f":{role}:" in line or ":*:" in line for line in lines))
    if missing:
        raise Refusal(
            f"FRAUD_PGPASS has no line for the role {missing[0]}; add one (host:port:database:role:password)."
        )


def role_of(variable: str) -> str:
    """The role in a URL of the operator's. Raises `Refusal` for a URL that shows a password, or names no role."""
    parts = urlsplit(os.environ.get(variable, ""))
    if parts.password or "password" in dict(parse_qsl(parts.query)):
        raise Refusal(
            f"{variable} holds a password, which docker inspect would show; put it into the file FRAUD_PGPASS."
        )
    if parts.scheme not in {"postgresql", "postgres"} or not parts.username:
        raise Refusal(f"{variable} must be set, as postgresql://role@host:port/database, where FRAUD_PGPASS is.")
    return unquote(parts.username)


def nginx_files() -> Iterator[tuple[str, str]]:
    yield "users", "".join(logins())
    certificate, key = given("tls.crt"), given("tls.key")
    if (certificate is None) != (key is None):
        raise Refusal("TLS needs both FRAUD_TLS_CERTIFICATE and FRAUD_TLS_KEY; one of them is missing.")
    if certificate is None or key is None:
        yield "listen.conf", "listen 8080;\n"
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(GIVEN / "tls.crt", GIVEN / "tls.key", password="")
    except (ssl.SSLError, OSError) as error:
        raise Refusal(
            f"FRAUD_TLS_CERTIFICATE and FRAUD_TLS_KEY are no PEM pair ({error}); give the chain, and its own key "
            "without a passphrase."
        ) from error
    yield "tls.crt", certificate
    yield "tls.key", key
    yield (
        "listen.conf",
        "listen 8080 ssl;\nssl_certificate /run/secrets/tls.crt;\nssl_certificate_key /run/secrets/tls.key;\n",
    )


def logins() -> Iterator[str]:
    """Who may log in: the operator's own list, or one name with the password made here."""
    import bcrypt

    own = given("users")
    if own is not None:
        for number, line in enumerate(own.splitlines(), 1):
            if not LOGIN.fullmatch(line):
                raise Refusal(
                    f"Line {number} of FRAUD_USERS is not of the form name:bcrypt-hash; make it with htpasswd -B."
                )
            yield line + "\n"
        return
    name, password = os.environ.get("FRAUD_LOGIN") or "fraud", kept("login").encode()
    before = HANDED_OUT / "nginx" / "users"
    hashed = before.read_text().strip().partition(":")[2].encode() if before.exists() else b""
    if not hashed or not bcrypt.checkpw(password, hashed):
        hashed = bcrypt.hashpw(password, bcrypt.gensalt(BCRYPT_ROUNDS))
    yield f"{name}:{hashed.decode()}\n"


def given(name: str) -> str | None:
    """A file of the operator's; None where none is given. Raises `Refusal` for an empty one."""
    path = GIVEN / name
    if path.is_dir():
        raise Refusal(f"The file given for {name} does not exist; Docker has made a folder in its place: remove it.")
    if not path.is_file():  # nothing is given as a device
        return None
    text = path.read_text(encoding="utf-8")
    if not text.strip():
        raise Refusal(f"The file given for {name} is empty.")
    return text


# -- backup ----------------------------------------------------------------------------------------------


def export() -> None:
    """All secrets as an archive, to standard output."""
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name in (*PASSWORDS, *KEYS):
            kept(name)
            archive.add(ORIGINALS / name, name)


def restore() -> None:
    """The secrets of an archive, from standard input, in the place of those that are there. All or none."""
    found: dict[str, str] = {}
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            if member.name in (*PASSWORDS, *KEYS) and content is not None:
                found[member.name] = content.read().decode().strip()
    missing = [name for name in (*PASSWORDS, *KEYS) if not found.get(name)]
    if missing:
        raise Refusal(f"The archive has no secret {missing[0]}; it was not made by docker/backup.")
    (ORIGINALS / SIGNING_BEFORE).unlink(missing_ok=True)
    for name, value in found.items():
        keep(name, value)
    keep("complete", "yes")


def main(command: str = "make", *arguments: str) -> None:
    """Do one thing, then hand out."""
    os.umask(0o077)
    ORIGINALS.chmod(0o700)
    if command == "show":
        print(kept(arguments[0]))
    elif command == "export":
        export()
    else:
        if command == "rotate":
            rotate(arguments[0], sys.stdin.readline().strip() if "--value" in arguments else None)
        elif command == "settled":
            (ORIGINALS / SIGNING_BEFORE).unlink(missing_ok=True)
        elif command == "import":
            restore()
        made = make_missing()
        hand_out()
        if made:
            print(f"Made: {', '.join(made)}.", file=sys.stderr)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Refusal as refusal:
        sys.exit(f"Error: {refusal}")
    except (OSError, tarfile.TarError) as error:
        sys.exit(f"Error: {error}.")
