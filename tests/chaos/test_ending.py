"""The end of a process is seen when its sockets are gone, not when its first thread is."""

import os
import socket

import pytest

from tests.chaos.ending import Ending, listening
from tests.support import half_dead


def test_a_server_that_looks_dead_but_still_listens_has_not_ended():
    with half_dead.server() as (process, port):
        ending = Ending(process.pid)
        socket.create_connection(("127.0.0.1", port)).close()
        with pytest.raises(TimeoutError, match="a thread still runs"):
            ending.wait(0.1)
        process.kill()
        ending.wait(10)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        ending.close()


def test_what_listens_is_told_by_its_socket():
    with socket.create_server(("127.0.0.1", 0)) as server:
        inode = str(os.fstat(server.fileno()).st_ino)
        assert inode in listening()
    assert inode not in listening()
