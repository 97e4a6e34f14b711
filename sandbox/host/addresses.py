"""Where the sandbox's tasks really listen.

On AWS a task has its own network address; here it is a local process on a free port of 127.0.0.1. The
container runtime writes this table, the load balancer reads it to find the port behind a target's address.
"""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Iterator

_SUBNET = "10.0.0.0/16"
_RESERVED = 4  # AWS keeps a subnet's first addresses (network, router, DNS, future use)


class AddressBook:
    """Thread-safe table of (task address, container port) -> local port."""

    def __init__(self, subnet: str = _SUBNET) -> None:
        self._network = ipaddress.ip_network(subnet)
        self._lock = threading.Lock()
        self._ports: dict[str, dict[int, int]] = {}
        self._fresh = self._circle()

    def assign(self) -> str:
        """Hand out an address that no task holds; one just released comes back last."""
        with self._lock:
            for _ in range(self._network.num_addresses):
                address = next(self._fresh)
                if address not in self._ports:
                    self._ports[address] = {}
                    return address
        raise RuntimeError(f"no free address left in {self._network}")

    def bind(self, ip: str, container_port: int, local_port: int) -> None:
        """Say that `ip`:`container_port` is served by 127.0.0.1:`local_port`."""
        with self._lock:
            self._ports.setdefault(ip, {})[container_port] = local_port

    def resolve(self, ip: str, container_port: int) -> int | None:
        """The local port behind `ip`:`container_port`, or None when nothing listens there."""
        with self._lock:
            return self._ports.get(ip, {}).get(container_port)

    def release(self, ip: str) -> None:
        """Forget an address and all its ports; releasing an unknown one does nothing."""
        with self._lock:
            self._ports.pop(ip, None)

    def _circle(self) -> Iterator[str]:
        while True:
            for number, address in enumerate(self._network.hosts()):
                if number >= _RESERVED - 1:
                    yield str(address)


addresses = AddressBook()
