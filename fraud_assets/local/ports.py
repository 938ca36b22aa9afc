"""Addresses to listen on: which port is free, how an address is shown, and who can reach it."""

import errno
import ipaddress
import socket
from urllib.parse import urlsplit

from fraud_assets.local.errors import Refusal

LOOPBACK = "127.0.0.1"
EVERYWHERE = {"0.0.0.0", "::"}  # noqa: S104  addresses to compare with, not to bind


def choose_port(host: str, port: int | None, usual: int) -> int:
    """The port that was asked for, else the usual one, or any where that is taken.

    Raises `Refusal` where the port that was asked for is taken, and for a host that cannot be listened on.
    """
    if port is not None:
        if not _is_free(host, port):
            raise Refusal(f"The port {port} on {host} is taken; end what listens there, or name another with --port.")
        return port
    return usual if _is_free(host, usual) else any_port(host)


def any_port(host: str) -> int:
    """A port that nobody listens on."""
    with socket.socket(_family(host)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def address(host: str, port: int) -> str:
    """Where a browser on this machine finds what listens there."""
    shown = LOOPBACK if host in EVERYWHERE else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_of(host: str, url: str | None) -> list[str]:
    """The names by which people may ask for what listens on `host` and is found at `url`: any, if not loopback."""
    if not is_loopback(host):
        return ["*"]
    told = urlsplit(url).hostname if url else None
    return ["localhost", LOOPBACK, "[::1]", host, *([told] if told else [])]


def _is_free(host: str, port: int) -> bool:
    with socket.socket(_family(host)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise Refusal(
                f"{host}:{port} cannot be listened on ({error.strerror}); name another --host or --port."
            ) from error
        return True


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
