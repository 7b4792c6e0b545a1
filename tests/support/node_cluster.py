"""A control plane and a node agent of their own for a test module, on free ports in one folder."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import yaml

from infra.local import kubernetes
from infra.local.kube_api import Api

ROOT = Path(__file__).parents[2]
TINY = Path(__file__).with_name("tiny_server.py")
START_SECONDS = 60


def until(condition, seconds=20.0, period=0.02):
    """Return the first true value of `condition`; fail after `seconds`."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(period)
    return value


def free_ports(count):
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


@contextmanager
def process(argv, log):
    """A process that is ended by SIGTERM, and must end."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/shared:{ROOT}"}
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(15)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


class Cluster:
    """Where everything is, and the administrator's API."""

    def __init__(self, folder):
        self.folder, self.state, self.buckets = folder, folder / "node", folder / "buckets"
        self.kubeconfig = folder / "kubeconfig"
        self.agents = ExitStack()
        # pods of two runs on one machine must not meet: a free port names this run's addresses
        port = free_ports(1)[0]
        self.network = f"127.{64 + port % 64}.{port // 64 % 256}."

    def start_agent(self):
        """Start the node's agent, or another one after it died; it ends with `agents`."""
        (self.state / "ready").unlink(missing_ok=True)
        log = self.folder / "node.log"
        self.agent = self.agents.enter_context(process(self.agent_command(), log))
        until((self.state / "ready").exists, 30)

    def agent_command(self):
        return [
            *(sys.executable, "-m", "infra.local.node"),
            *("--kubeconfig", str(self.folder / "node.kubeconfig")),
            *("--buckets", str(self.buckets), "--state", str(self.state)),
            *("--images", str(self.folder / "images.yaml"), "--cidr", self.network + "0/24"),
            *("--cpu", "16", "--backoff", "1"),
        ]

    def processes(self):
        """The processes of this node's pods."""
        found = []
        for each in psutil.process_iter():
            with suppress(psutil.Error):
                if each.environ().get("BERTH_POD_IP", "").startswith(self.network):
                    found.append(each.pid)
        return found

    def kubectl(self, *arguments):
        done = subprocess.run(
            ["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def pods(self, app, namespace="default"):
        path = f"/api/v1/namespaces/{namespace}/pods"
        return self.api.get(path, labelSelector=f"app={app}")["items"]

    def ready(self, app, count=1):
        """The pods of an app if that many, and no others, are ready."""
        pods = self.pods(app)
        good = [pod for pod in pods if is_ready(pod) and "deletionTimestamp" not in pod["metadata"]]
        return good if len(good) == len(pods) == count else None


def is_ready(pod):
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


@contextmanager
def running(folder):
    """A control plane without a node, its manifests applied."""
    cache = Path(os.environ.get("BERTH_CACHE", Path.home() / ".cache" / "berth"))
    cluster = Cluster(folder)
    parts = kubernetes.parts(
        kubernetes.build(cache), folder, kubernetes.Ports(*free_ports(5)), hpa_seconds=2
    )
    for name in ("models", "control"):
        (cluster.buckets / name).mkdir(parents=True)
    images = {"tiny": {"command": [sys.executable, str(TINY)]}}
    (folder / "images.yaml").write_text(yaml.safe_dump(images))
    with ExitStack() as stack:
        for part in parts:
            child = stack.enter_context(process(part.argv, folder / f"{part.name}.log"))
            if part.name in {"etcd", "apiserver"}:
                until(lambda part=part, child=child: child.poll() is None and part.ready(), 60)
        cluster.api = Api(cluster.kubeconfig)
        stack.callback(cluster.api.close)
        kubernetes.bootstrap(cluster.kubeconfig)
        for part in parts:
            until(part.ready, 60)
        yield cluster
