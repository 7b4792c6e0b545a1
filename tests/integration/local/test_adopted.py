"""A process that outlived its agent is held until all of it has ended."""

from infra.local.node import adopted
from tests.support import half_dead


def test_a_server_that_still_listens_is_adopted_though_its_first_thread_ended():
    with half_dead.server() as (process, _):
        note = adopted.Note(process.pid, process.create_time(), "", "")
        held = adopted.adopt(note)
        assert held is not None
        held.kill()
        held.wait()
        assert adopted.adopt(note) is None
