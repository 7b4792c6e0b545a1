"""Guards of the unit tests: no sockets, and no environment but the least."""

import os
import socket

import pytest

KEPT = ("PATH", "HOME", "TMPDIR", "PYTHONPATH", "PYTHONHASHSEED", "LANG", "VIRTUAL_ENV")


@pytest.fixture(autouse=True)
def nothing_outside(monkeypatch):
    def refuse(self, address, *rest):
        raise AssertionError(f"a unit test opened a socket to {address!r}")

    for name in ("connect", "connect_ex", "bind"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in list(os.environ):
        if name not in KEPT and not name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
