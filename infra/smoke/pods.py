"""Pods that a check runs in the cluster for a few seconds, from the serving image.

There is no other image in reach (no internet), and it has bash, which opens connections by itself.
"""

from collections.abc import Mapping
from typing import Any

SERVERS = {"app.kubernetes.io/name": "tensorflow-serving"}
ROUTER = {"app.kubernetes.io/name": "berth-router"}
FIGURES = "/apis/metrics.k8s.io/v1beta1/namespaces/berth/pods"
METADATA = "169.254.169.254"
_TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"


def manifest(
    name: str, image: str, script: str, labels: Mapping[str, str], account: str = "default"
) -> dict[str, Any]:
    """A pod that runs a bash script once, as Pod Security's `restricted` asks for."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "berth", "labels": dict(labels)},
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": 300,
            "serviceAccountName": account,
            "automountServiceAccountToken": False,
            "nodeSelector": {"berth.dev/pool": "serving"},
            "tolerations": [{"key": "berth.dev/serving", "value": "true", "effect": "NoSchedule"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "check",
                    "image": image,
                    "command": ["/bin/bash", "-c", script],
                    "resources": {
                        "requests": {"cpu": "50m", "memory": "64Mi"},
                        "limits": {"memory": "64Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }


def connects(*places: tuple[str, int]) -> str:
    """A script that prints `HOST:PORT open` or `HOST:PORT closed` for each place."""
    lines = [
        f"if timeout 5 bash -c '</dev/tcp/{host}/{port}' 2>/dev/null; "
        f"then echo {host}:{port} open; else echo {host}:{port} closed; fi"
        for host, port in places
    ]
    return "\n".join(lines)


def token() -> str:
    """A script that prints the metadata server's answer to a request for the pod's token."""
    request = (
        rf"GET {_TOKEN} HTTP/1.0\r\nHost: metadata.google.internal\r\n"
        r"Metadata-Flavor: Google\r\n\r\n"
    )
    return f"exec 3<>/dev/tcp/{METADATA}/80; printf '{request}' >&3; cat <&3"


def opened(said: str) -> dict[str, bool]:
    """What `connects` printed."""
    lines = [line.split() for line in said.splitlines()]
    return {words[0]: words[1] == "open" for words in lines if len(words) == 2}
