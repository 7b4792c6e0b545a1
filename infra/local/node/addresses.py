"""Loopback addresses for pods, each handed out once before any is used again."""

import ipaddress
import threading


class Addresses:
    """The pool of one CIDR. Safe to share between threads."""

    def __init__(self, cidr: str) -> None:
        """Refuse a range outside 127.0.0.0/8 by ValueError: only there every address is bound."""
        self._network = ipaddress.IPv4Network(cidr)
        if not self._network.is_loopback:
            raise ValueError(f"{cidr} is no loopback range")
        self._used: set[str] = set()
        self._next = 0
        self._lock = threading.Lock()

    def take(self, wanted: str = "") -> str:
        """Return `wanted` if it is free, else the next address. Raises RuntimeError if none is."""
        with self._lock:
            ours = wanted and ipaddress.IPv4Address(wanted) in self._network
            if ours and wanted not in self._used:
                self._used.add(wanted)
                return wanted
            return self._fresh()

    def give_back(self, address: str) -> None:
        """Free an address."""
        with self._lock:
            self._used.discard(address)

    def _fresh(self) -> str:
        size = self._network.num_addresses - 2
        for _ in range(size):
            address = str(self._network[self._next % size + 1])
            self._next += 1
            if address not in self._used:
                self._used.add(address)
                return address
        raise RuntimeError(f"no address of {self._network} is free")
