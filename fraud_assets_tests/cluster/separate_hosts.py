"""Hosts of their own on one machine: network namespaces on a switch, and a way from them to a server of this machine.

What lives here: making and removing them, and counting what goes over their network. What does not: what they run.
Only root may do this, on Linux with iproute2.
"""

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

NETWORK = "10.213.77"
MACHINE = f"{NETWORK}.1"
_PIECE = 1 << 16


@dataclass(frozen=True)
class Host:
    """A network namespace with one address."""

    name: str
    address: str

    def command(self, *command: str) -> list[str]:
        """The command as it is run on this host."""
        return ["ip", "netns", "exec", self.name, *command]

    def bytes(self) -> tuple[int, int]:
        """How much it has received and sent."""
        files = [f"/sys/class/net/host0/statistics/{way}_bytes" for way in ("rx", "tx")]
        said = _run(*self.command("cat", *files)).split()
        return int(said[0]), int(said[1])


@contextmanager
def hosts(*names: str) -> Iterator[list[Host]]:
    """Hosts that reach each other and this machine, and nothing else; removed afterwards, with all that runs there."""
    mark = f"fa{os.getpid() % 100_000}"
    # In a namespace of its own: this machine's firewall has a say in what a bridge here passes on.
    switch = Host(f"{mark}-switch", "")
    made: list[Host] = []
    _run("ip", "netns", "add", switch.name)
    try:
        _run(*switch.command("ip", "link", "add", "bridge0", "type", "bridge"))
        _run(*switch.command("ip", "link", "set", "bridge0", "up"))
        _run("ip", "link", "add", mark, "type", "veth", "peer", "name", "machine", "netns", switch.name)
        _run("ip", "address", "add", f"{MACHINE}/24", "dev", mark)
        _run("ip", "link", "set", mark, "up")
        _run(*switch.command("ip", "link", "set", "machine", "master", "bridge0", "up"))
        for number, name in enumerate(names):
            made.append(Host(f"{mark}-{name}", f"{NETWORK}.{number + 2}"))
            _connect(made[-1], switch, name)
        yield made
    finally:
        for host in (*made, switch):
            _remove(host)


def _connect(host: Host, switch: Host, cable: str) -> None:
    _run("ip", "netns", "add", host.name)
    _run(*switch.command("ip", "link", "add", cable, "type", "veth", "peer", "name", "host0", "netns", host.name))
    _run(*switch.command("ip", "link", "set", cable, "master", "bridge0", "up"))
    _run(*host.command("ip", "address", "add", f"{host.address}/24", "dev", "host0"))
    _run(*host.command("ip", "link", "set", "host0", "up"))
    _run(*host.command("ip", "link", "set", "lo", "up"))


def _remove(host: Host) -> None:
    """The host, with what still runs there; its cable goes with it."""
    for process in _run("ip", "netns", "pids", host.name).split():
        with suppress(ProcessLookupError):
            os.kill(int(process), 9)
    _run("ip", "netns", "delete", host.name)


@dataclass
class Forwarder:
    """Passes connections from the hosts on to a port of this machine, and counts the bytes each way."""

    target: int
    listener: socket.socket = field(default_factory=lambda: socket.create_server((MACHINE, 0)))
    to_server: int = 0
    to_hosts: int = 0

    @property
    def port(self) -> int:
        port: int = self.listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Until the listener is closed."""
        with suppress(OSError):
            while True:
                threading.Thread(target=self._connected, args=(self.listener.accept()[0],), daemon=True).start()

    def _connected(self, host: socket.socket) -> None:
        with host, socket.create_connection(("127.0.0.1", self.target)) as server:
            back = threading.Thread(target=self._pass_on, args=(server, host, "to_hosts"), daemon=True)
            back.start()
            self._pass_on(host, server, "to_server")
            back.join()

    def _pass_on(self, source: socket.socket, target: socket.socket, counter: str) -> None:
        with suppress(OSError):
            while piece := source.recv(_PIECE):
                target.sendall(piece)
                setattr(self, counter, getattr(self, counter) + len(piece))
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextmanager
def forwarded(port: int) -> Iterator[Forwarder]:
    """A port of this machine's address on the switch that leads to a port of this machine."""
    made = Forwarder(port)
    threading.Thread(target=made.serve, name="forwarder", daemon=True).start()
    try:
        yield made
    finally:
        made.listener.close()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout
