"""Figures of pods as the metrics API writes them: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/"""

import pytest

from berth.adapters.kubernetes_pods import CONTAINER, used_bytes


def figures(*containers):
    rows = [{"name": n, "usage": {"cpu": "1n", "memory": memory}} for n, memory in containers]
    return {"metadata": {"name": "p1"}, "containers": rows}


@pytest.mark.parametrize(
    ("memory", "expected"),
    [("334568Ki", 342597632), ("5", 5), ("1Gi", 1024**3), ("2M", 2_000_000), ("1500m", 1)],
)
def test_a_quantity_is_read_in_bytes(memory, expected):
    assert used_bytes([figures((CONTAINER, memory))]) == {"p1": expected}


def test_the_server_alone_counts():
    assert used_bytes([figures(("gke-gcsfuse-sidecar", "9Gi"), (CONTAINER, "1Ki"))]) == {"p1": 1024}
    assert used_bytes([figures(("gke-gcsfuse-sidecar", "9Gi"))]) == {}
