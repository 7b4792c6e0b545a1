"""Free loopback ports and an address range of one's own, so that several stacks share a machine."""

import random
import socket

# Below the kernel's ephemeral range, so that no outgoing connection takes a port before its part.
_RANGE = range(20_000, 32_000)
_CLAIM = 19_999


class NoneFree(RuntimeError):
    """Every port or address range that a stack may use is taken."""


def free(count: int) -> list[int]:
    """As many different ports on 127.0.0.1 as asked for, free at this moment."""
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            return found
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    raise NoneFree(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}")


def claim_network() -> tuple[str, socket.socket]:
    """A range 127.X.0.0/16 for pods that no other stack uses while the socket is open."""
    for number in random.sample(range(1, 255), 254):
        holder = socket.socket()
        try:
            holder.bind((f"127.{number}.255.254", _CLAIM))
        except OSError:
            holder.close()
            continue
        return f"127.{number}.0.0/16", holder
    raise NoneFree("no free range 127.X.0.0/16")


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((host, port)) == 0
