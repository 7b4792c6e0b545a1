"""Deployments of the tiny server, and questions to their pods."""

import urllib.request

from tests.support.node_cluster import until

POD_SECURITY = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def deployment(name, replicas=1, grace=5, pod=None, **container):
    ports = container.pop("ports", 9000)
    spec = {
        "name": "tiny",
        "image": "tiny:1",
        "args": [f"--port={ports}"],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": ports}, "periodSeconds": 1},
        **container,
    }
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": grace,
            "securityContext": POD_SECURITY,
            "containers": [spec],
            **(pod or {}),
        },
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": template,
        },
    }


def ask(pod, path, port=9000):
    url = f"http://{pod['status']['podIP']}:{port}{path}"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read().decode()


def container_status(pod):
    return pod["status"]["containerStatuses"][0]


def one(cluster, app, condition, seconds=20.0):
    """The only pod of an app once `condition` holds of its container's status."""

    def look():
        pods = cluster.pods(app)
        good = [
            p for p in pods if "containerStatuses" in p["status"] and condition(container_status(p))
        ]
        return good[0] if len(pods) == 1 and good else None

    return until(look, seconds)
