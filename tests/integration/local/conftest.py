"""One control plane with one node's agent for all tests of the node, started when the first asks."""

from pathlib import Path

import pytest

from infra.local.node import leftovers
from tests.support import node_cluster
from tests.support.node_cluster import until
from tests.support.pods import deployment


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kubernetes")
    with node_cluster.running(folder) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def cluster(control_plane):
    with control_plane.agents:
        control_plane.start_agent()
        yield control_plane
    assert control_plane.agent.returncode == 0, (control_plane.folder / "node.log").read_text()
    assert not control_plane.processes()
    group = leftovers.group(control_plane.state)
    assert not [*Path("/sys/fs/cgroup").glob(f"*/{group}"), *Path("/sys/fs/cgroup").glob(group)]
    assert str(control_plane.folder) not in Path("/proc/mounts").read_text()


@pytest.fixture
def deploy(cluster):
    """Apply a Deployment; it and its pods are gone after the test."""
    names = []

    def create(name, **rest):
        names.append(name)
        cluster.api.post("/apis/apps/v1/namespaces/default/deployments", deployment(name, **rest))

    yield create
    for name in names:
        cluster.api.delete(
            f"/apis/apps/v1/namespaces/default/deployments/{name}",
            {"propagationPolicy": "Background"},
        )
        until(lambda name=name: not cluster.pods(name))
