"""Simulated servers: polls, ten loads a second, four at a time, one reload after another."""

import pytest

from berth.domain import serving_config
from berth.domain.errors import Unavailable
from tests.simulation.servers import Servers


class Now:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def _config(**versions):
    return serving_config.render(
        {
            name: serving_config.entry(f"/models/{name}", numbers)
            for name, numbers in versions.items()
        }
    )


@pytest.fixture
def now():
    return Now()


@pytest.fixture
def servers(now):
    found = Servers(now, lambda path, number: 0.05)
    found.boot("a", _config())
    now.seconds = 2.0
    return found


def _states(servers, name):
    return {n: status.state for n, status in servers.statuses("a", [name])[name].items()}


def test_a_server_answers_when_its_boot_config_has_settled(now):
    servers = Servers(now, lambda path, number: 0.5)
    servers.boot("a", _config(one=(1,)))
    assert not servers.up("a")
    with pytest.raises(Unavailable):
        servers.statuses("a", ["one"])
    now.seconds = 1.7
    assert _states(servers, "one") == {1: "AVAILABLE"}


def test_ten_loads_begin_in_a_second(now, servers):
    began = now.seconds
    ends = servers.reload("a", _config(**{f"m{n}": (1,) for n in range(50)}))
    assert began + 5.0 <= ends <= began + 6.1
    now.seconds = ends
    assert len(servers.by_address["a"].held(ends)) == 50


def test_slow_loads_share_four_threads(now, servers):
    servers.seconds = servers.by_address["a"].seconds = lambda path, number: 10.0
    ends = servers.reload("a", _config(**{f"m{n}": (1,) for n in range(8)}))
    assert 20.0 < ends - now.seconds < 22.5


def test_a_reload_waits_for_the_one_before(now, servers):
    servers.by_address["a"].seconds = lambda path, number: 10.0
    first = servers.reload("a", _config(one=(1,)))
    assert servers.reload("a", _config(one=(1,), two=(1,))) > first + 10.0


def test_the_old_version_goes_when_the_new_one_has_come(now, servers):
    now.seconds = servers.reload("a", _config(one=(1,)))
    assert servers.reload("a", _config(one=(1, 2))) == now.seconds  # it adds no name
    now.seconds += 2.0
    assert _states(servers, "one") == {1: "AVAILABLE", 2: "AVAILABLE"}
    servers.reload("a", _config(one=(2,)))
    now.seconds += 2.0
    assert _states(servers, "one") == {1: "END", 2: "AVAILABLE"}
    assert servers.by_address["a"].held(now.seconds) == [("one", 2)]
