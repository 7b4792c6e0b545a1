"""Probes and hooks are judged before a container starts."""

import pytest

from infra.local.node import actions, spec

PORTS = [{"name": "http", "containerPort": 8501}]


@pytest.mark.parametrize(
    "container",
    [
        {},
        {
            "readinessProbe": {"grpc": {"port": 8500}},
            "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
        },
        {
            "startupProbe": {"httpGet": {"port": "http"}},
            "livenessProbe": {"exec": {"command": ["a"]}},
        },
    ],
)
def test_what_the_node_can_do_passes(container):
    actions.check({"ports": PORTS, **container})


@pytest.mark.parametrize(
    ("container", "complaint"),
    [
        ({"readinessProbe": {"httpGet": {"port": "grpc"}}}, "no port is named grpc"),
        ({"livenessProbe": {"periodSeconds": 3}}, "knows no handler"),
        ({"lifecycle": {"postStart": {"exec": {"command": ["a"]}}}}, "postStart"),
    ],
)
def test_what_it_cannot_do_is_said(container, complaint):
    with pytest.raises(spec.ConfigError, match=complaint):
        actions.check({"ports": PORTS, **container})
